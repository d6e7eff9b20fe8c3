-- What authors of specs see in their editor names exactly what there is.
local world = require "tool.world"

describe("the annotations of tool.world", function()
  -- Functions and fields of a class of lua/meta/world.lua.
  local function annotated_world(class, variable)
    local source, names = host.script.read "lua/meta/world.lua", {}
    for name in source:gmatch("\nfunction " .. variable .. "[.:]([%w_]+)%(") do names[#names + 1] = name end
    local fields = source:match("%-%-%-@class " .. class .. "\n(.-)\nlocal " .. variable) or ""
    for name in ("\n" .. fields .. "\n"):gmatch "%-%-%-@field ([%w_]+)" do names[#names + 1] = name end
    table.sort(names)
    return names
  end

  local function names_of(content)
    local names = {}
    local methods = getmetatable(content) and getmetatable(content).__index or {}
    for _, part in ipairs { content, methods } do
      for name in pairs(part) do
        if type(name) == "string" and name ~= "runner" and name ~= "__index" then names[#names + 1] = name end
      end
    end
    table.sort(names)
    return names
  end

  for class, about in pairs {
    World = { "world", world }, WorldHttp = { "http", world.http }, WorldRedis = { "redis", world.redis }, WorldPg = { "pg", world.pg },
    WorldPlugin = { "plugin", require("tool.world.plugin").methods },
  } do
    it(("name exactly what %s has"):format(class), function()
      assert.same(names_of(about[2]), annotated_world(class, about[1]))
    end)
  end

  it("name the members of requests and answers", function()
    local source = host.script.read "lua/meta/world.lua"
    local function fields_of(class)
      local names = {}
      for name in source:match("%-%-%-@class " .. class .. "\n(.-)\n\n"):gmatch "%-%-%-@field ([%w_]+)" do names[name] = true end
      return names
    end
    assert.same(require("tool.world.plugin").request_members, fields_of "WorldRequest")
    assert.same(require("tool.world.http").answer_members, fields_of "WorldAnswer")
  end)
end)
