-- The annotations authors see in their editor name exactly what there is.

local function registered(module)
  local names = {}
  for name in pairs(host[module]) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function annotated(module)
  local names, seen, source = {}, {}, host.script.read(("lua/meta/%s.lua"):format(module))
  assert(source, "there is no lua/meta/" .. module .. ".lua")
  local function add(name)
    if not seen[name] then names[#names + 1], seen[name] = name, true end
  end
  for name in source:gmatch("\nfunction " .. module .. "%.([%w_]+)%(") do add(name) end
  local class = source:match("%-%-%-@class Host%u%w*\n(.-)\nlocal " .. module)
  for name in ((class or "") .. "\n"):gmatch "%-%-%-@field ([%w_]+)" do add(name) end
  table.sort(names)
  return names
end

describe("the annotations of host", function()
  for module, content in pairs(host) do
    if module ~= "config" then
      it(("name exactly what host.%s has"):format(module), function()
        assert.equal("table", type(content))
        assert.same(registered(module), annotated(module))
      end)
    end
  end

  it("name every module", function()
    local source, modules = host.script.read "lua/meta/host.lua", {}
    for name in source:match("@class Host\n(.-)\nhost = {}"):gmatch "@field ([%w_]+)" do modules[name] = true end
    for name in pairs(host) do assert.is_true(modules[name], name) end
    for name in pairs(modules) do assert.is_not_nil(host[name], name) end
  end)

  it("name every event a plugin may listen to, and every capability it may need", function()
    local source = host.script.read "lua/meta/plugin.lua"
    local function named(alias)
      local names = {}
      for name in source:match("@alias " .. alias .. " ([^\n]+)"):gmatch '"([^"]+)"' do names[#names + 1] = name end
      table.sort(names)
      return names
    end
    assert.same(require("services.events").names(), named "PluginEvent")
    assert.same(require("kit.plugin_host").capabilities(require("services.plugins").world.services), named "PluginNeed")
    assert.equal(#require("kit.plugin_order").stages, #named "PluginStage")
  end)
end)
