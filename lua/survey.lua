--- All that is wrong with what people edit, said at once. Loading ends at the first module that raises, so this goes before:
--- rules, templates and plugins are each looked at whatever the others are like. `fura check`, and whoever is refused anyway,
--- also hears of every other source that is no Lua.
local host = host

local problems, seen = {}, {}

local function add(text)
  for line in tostring(text):gmatch "[^\n]+" do
    if not seen[line] then seen[line], problems[#problems + 1] = true, line end
  end
end

-- The module, or nil when it cannot be loaded.
local function load(name)
  local ok, result = pcall(require, name)
  if ok then return result end
  add(result)
end

local function origin_of_plugin(path)
  return host.config("plugins." .. path)
end

local function read_plugins()
  local kit, world = load "kit.plugins", load "services.plugin_world"
  if not kit or not world then return end
  local _, wrong = kit.load(host.config.plugins or {}, origin_of_plugin, world)
  for _, problem in ipairs(wrong or {}) do add(problem) end
end

local function compile_all()
  for _, path in ipairs(host.script.list "lua") do
    if path:find "%.lua$" and not path:find "^lua/rules/" then
      local chunk, problem = host.script.compile(host.script.read(path), path, {})
      if not chunk then add(problem) end
    end
  end
end

load "kit.rules"
load "kit.view"
if #problems > 0 or host.script.info().role == "check" then
  read_plugins()
  compile_all()
end
if #problems > 0 then error(table.concat(problems, "\n"), 0) end
return true
