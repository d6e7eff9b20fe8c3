--- A world for specs of rules and plugins: a clock that stands still, and Redis, Postgres and the network as the spec says.
---
---   local world = require "tool.world"
---
--- A spec file that requires it needs no services: in its specs the outermost functions of `host` are replaced, and
--- everything between them and the code under test is the real thing. Each spec begins with a fresh world. What nobody
--- expected (a call, a statement, an error in a hook) fails the spec. The guide is docs/plugins.md; types: lua/meta/world.lua.
local host = host
local clock = require "tool.world.clock"
local http = require "tool.world.http"
local kit_plugins = require "kit.plugins"
local lists = require "tool.world.lists"
local pg = require "tool.world.pg"
local plugin = require "tool.world.plugin"
local records = require "tool.world.records"
local redis = require "tool.world.redis"
local rules = require "kit.rules"
local settings = require "tool.world.settings"

local inside = { outbox = {} } -- what the parts know of each other
local surprise                 -- the first thing that nobody expected
local plugins = {}             -- loaded in this spec

function inside.unexpected(text)
  surprise = surprise or text
  error(text, 0)
end

-- The functions as they are before anything takes their place.
local function copy(module)
  local functions = {}
  for name, fn in pairs(module) do functions[name] = fn end
  return functions
end

inside.clock = clock.new(copy(host.task))
local network, memory, database = http.new(inside), redis.new(inside), pg.new(inside)
local recorded = records.new(inside.clock, copy(host.metrics))
local parts = { { clock, inside.clock }, { http, network }, { redis, memory }, { pg, database }, { records, recorded } }

-- ---- taking the place of the host ----

local replaced -- module → name → what was there; nil while the world is closed
local real_config = host.config
local sources = {} -- path → text that is read instead of the bundle's

local function replace(module, functions)
  replaced[module] = replaced[module] or {}
  for name, fn in pairs(functions) do
    if replaced[module][name] == nil then replaced[module][name] = host[module][name] end
    host[module][name] = fn
  end
end

local function read_source(path)
  return sources[path] or replaced.script.read(path)
end

local function open()
  if replaced then return end
  replaced = {}
  for _, part in ipairs(parts) do
    for module, functions in pairs(part[1].replacements(part[2])) do replace(module, functions) end
  end
  replace("script", { read = read_source })
  host.config = settings.over(real_config)
end

local function close()
  if not replaced then return end
  records.close(recorded)
  for module, functions in pairs(replaced) do
    for name, fn in pairs(functions) do host[module][name] = fn end
  end
  replaced, host.config = nil, real_config
end

local function reset()
  surprise, plugins = nil, {}
  lists.clear(inside.outbox)
  for _, part in ipairs(parts) do part[1].reset(part[2]) end
  settings.reset()
end

-- What fails a spec although none of its assertions did.
local function verdict()
  if surprise then return surprise end
  for _, loaded in ipairs(plugins) do
    local text = loaded:error()
    if text then return text .. "\n  (an error in a hook; a spec that expects it asks for it: plugin:error())" end
  end
  local raised = inside.clock.tasks:unseen()
  return raised and "an error in a task: " .. raised
end

-- ---- for specs ----

local world = {
  http = network, redis = memory, pg = database, outbox = inside.outbox, logs = recorded.logs, events = recorded.events,
}

local function seconds_of(time)
  if type(time) == "number" and time >= 0 then return time end
  return kit_plugins.seconds(time) or error("a time is seconds, or a text like \"30s\", \"5m\", \"1h\", \"1d\"", 3)
end

--- Let time pass: sleeps, timers and jobs that fall due run, in order.
function world.advance(time)
  inside.clock:advance(seconds_of(time))
end

--- Set what the clock shows, as Unix seconds or ISO 8601 with a zone. No time passes.
function world.set_time(time)
  local seconds = type(time) == "number" and time or host.time.parse_iso8601(tostring(time))
  if not seconds then error(("%s is no time (expected seconds, or 2026-01-15T12:00:00+03:00)"):format(tostring(time)), 2) end
  inside.clock:set(seconds)
end

--- The sum of a counter or of what was observed, or the last value of a gauge; 0 when there was nothing.
function world.metric(name, labels)
  return recorded:metric(name, labels)
end

--- Change a setting of the conf file for this spec.
function world.setting(path, value)
  settings.set(path, value)
end

--- The fields of the first log line with this message; nil when there is none.
function world.logged(message)
  for _, line in ipairs(world.logs) do
    if line.message == message then return line.fields end
  end
end

-- Why a rule failed, with the line where it computed for too long.
local function why(problem)
  local place = problem.code == "script_timeout" and tostring(problem.stack):match "lua/rules/[%w_]+%.lua:%d+"
  return place and ("%s: %s"):format(place, problem.text) or problem.text
end

local function explained(ok, ...)
  if ok then return ... end
  local problem = ...
  error(type(problem) == "table" and why(problem) or problem, 0)
end

--- A rule as the server loads it; each call has the budget it has there.
function world.rule(name)
  local rule = rules[name]
  return setmetatable({}, { __index = function(_, key)
    local value = rule[key]
    if type(value) ~= "function" then return value end
    return function(...) return explained(pcall(value, ...)) end
  end, __newindex = function() error("a rule cannot be changed", 2) end })
end

local function load_plugins(wanted, name)
  local loaded = plugin.load(inside, wanted, name)
  plugins[#plugins + 1] = loaded
  return loaded
end

--- A plugin with these settings, started. Raises what `fura check` would say of it.
function world.plugin(name, conf)
  return load_plugins({ [name] = conf or {} }, name)
end

--- Several plugins in their order: name → settings.
function world.plugins(wanted)
  return load_plugins(wanted)
end

--- The content of a file beside the spec (in its folder, or fixtures/ there) or in tests/fixtures: JSON decoded, else text.
function world.fixture(path)
  return inside.fixture(path)
end

--- For lua/tool/test.lua and the commands, not for specs.
world.runner = {
  open = open, close = close, reset = reset, verdict = verdict,

  --- The coroutine of the task that computes at the moment; nil: the spec itself does.
  running = function() return inside.clock.tasks.current and inside.clock.tasks.current.co end,

  --- Functions of a module of the host that a spec has as they are.
  untouched = function(module)
    local names = {}
    for name, fn in pairs(host[module]) do
      if type(fn) == "function" and not (replaced[module] or {})[name] then names[#names + 1] = name end
    end
    table.sort(names)
    return names
  end,

  --- Read this text instead of a file of the bundle.
  use_source = function(path, text) sources[path] = text end,

  --- @param place_of fun(co: thread): string  "file:line: " of what it was doing
  show_places = function(place_of) inside.clock.tasks.place_of = place_of end,

  --- @param find fun(path: string): string?  the text of a fixture
  find_fixtures = function(find)
    inside.fixture = function(path, as)
      local text = find(path)
      if not text then error(("there is no fixture %s beside the spec or in tests/fixtures"):format(path), 0) end
      if as == "text" or not path:find "%.json$" then return text end
      local value, problem = host.json.decode(text, { max_bytes = 16 * 1024 * 1024 })
      if problem then error(("%s: %s"):format(path, tostring(problem)), 0) end
      return value
    end
  end,
}

return world
