-- Runs once in every new state, before any application code: decides what a module sees and whom it may require.
-- Arguments: find_module(name) -> chunk | nil, problem; the wait token; the table `host`; is this a tool's state?
-- Returns boot(): loads lua/init.lua, runs its start() and gives its table.
local find_module, wait_token, host, tooling = ...
local setfenv, select, tostring, pcall = setfenv, select, tostring, pcall

-- The floors of lua/ (docs/ARCHITECTURE.md). A floor may require itself and what is listed; files directly under lua/
-- and lua/commands wire things together and may require everything.
local may_require = {
  rules = {},
  plugins = {},
  kit = { kit = true },
  services = { services = true, rules = true, kit = true },
  contracts = { contracts = true, services = true, rules = true, kit = true },
  web = { web = true, contracts = true, rules = true, kit = true },
}
-- Which parts of `host` a floor does without, and where such code belongs.
local host_denied = {
  rules = "rules are pure: they get what they need as arguments",
  plugins = "a plugin has the `host` argument of its hooks",
  contracts = { redis = true, pg = true, http = true, script = true },
  web = { redis = true, pg = true, http = true, script = true },
}

local error, pairs, rawset, setmetatable, type = error, pairs, rawset, setmetatable, type

-- I/O inside a script's own coroutine yields the token: hand it to whoever resumes us, up to the scheduler.
do
  local resume, yield, create, status = coroutine.resume, coroutine.yield, coroutine.create, coroutine.status
  local function pass(co, ok, first, ...)
    if ok and first == wait_token and status(co) == "suspended" then
      return pass(co, resume(co, yield(wait_token)))
    end
    return ok, first, ...
  end
  local function raise_or_return(ok, first, ...)
    if ok then return first, ... end
    return error(first, 0)
  end
  coroutine.resume = function(co, ...) return pass(co, resume(co, ...)) end
  coroutine.wrap = function(fn)
    local co = create(fn)
    return function(...) return raise_or_return(pass(co, resume(co, ...))) end
  end
end

getmetatable("").__metatable = false
if not tooling then string.dump = nil end

local function copy(from)
  local to = {}
  for key, value in pairs(from) do to[key] = value end
  return to
end

local function say(...)
  local parts = {}
  for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
  host.log.info("print", { text = table.concat(parts, " ") })
end

local base = {
  assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, pcall = pcall, rawequal = rawequal,
  rawget = rawget, rawset = rawset, select = select, setmetatable = setmetatable, getmetatable = getmetatable,
  tonumber = tonumber, tostring = tostring, type = type, unpack = unpack, xpcall = xpcall, print = say,
}
local libraries = { "string", "table", "math", "coroutine", "bit" }

local function floor_of(name)
  return name:match("^([%w_]+)%.") or "root"
end

local function host_for(floor)
  local denied = host_denied[floor]
  if denied == nil then return host end
  if type(denied) == "string" then
    return setmetatable({}, { __index = function(_, key)
      error(("%s cannot use host.%s: %s"):format(floor, key, denied), 2)
    end })
  end
  local view = {}
  for name, module in pairs(host) do
    if not denied[name] then view[name] = module end
  end
  return setmetatable(view, { __index = function(_, key)
    local advice = denied[key] and ("put it into a service (lua/services) and call that") or "there is no such module"
    error(("%s cannot use host.%s: %s"):format(floor, tostring(key), advice), 2)
  end })
end

local strict = {
  __index = function(_, key)
    error(("unknown name '%s': misspelt, or a local that was never declared"):format(tostring(key)), 2)
  end,
  __newindex = function(_, key)
    error(("'%s' is assigned but not declared: write local %s"):format(tostring(key), tostring(key)), 2)
  end,
}

local require_from -- defined below; environments close over it

local function environment(floor)
  local env = copy(base)
  for _, library in pairs(libraries) do env[library] = copy(_G[library]) end
  env.host = host_for(floor)
  env.require = function(name) return require_from(floor, name) end
  return setmetatable(env, strict)
end

local loaded, loading = {}, {}

-- Loading everything takes some ten milliseconds; requests of the generation that serves have their turn in between.
local SLICE_MS = 1
local sleep, now_ms, isyieldable = host.task and host.task.sleep, host.time and host.time.monotonic_ms, coroutine.isyieldable
local is_booting, slice_ends_ms = false, 0

local function let_others_run()
  if not is_booting or now_ms() < slice_ends_ms or not isyieldable() then return end
  sleep(0)
  slice_ends_ms = now_ms() + SLICE_MS
end

-- Rules, plugins and templates are compiled one after the other while one module is loaded.
if host.script then
  local compile = host.script.compile
  host.script.compile = function(source, name, env)
    let_others_run()
    return compile(source, name, env)
  end
end

local function check_layer(floor, name)
  if type(name) ~= "string" or not name:match("^[%w_%.]+$") then
    error("require takes a module name like \"services.sessions\"", 4)
  end
  local allowed, target = may_require[floor], floor_of(name)
  if allowed and not allowed[target] then
    local list = {}
    for key in pairs(allowed) do list[#list + 1] = key end
    table.sort(list)
    local cure = #list == 0 and "may not require anything" or "may require only " .. table.concat(list, ", ")
    error(("%s may not be required here: code under lua/%s %s"):format(name, floor, cure), 4)
  end
end

local function load_fresh(name)
  if loading[name] then
    error(("%s and this module require each other: move what both need into a third"):format(name), 4)
  end
  let_others_run()
  local chunk, problem = find_module(name)
  if not chunk then error(problem, 0) end
  setfenv(chunk, environment(floor_of(name)))
  loading[name] = true
  local ok, value = pcall(chunk, name)
  loading[name] = nil
  if not ok then error(value, 0) end
  if value == nil then value = true end
  loaded[name] = value
  return value
end

require_from = function(floor, name)
  check_layer(floor, name)
  local value = loaded[name]
  if value ~= nil then return value end
  return load_fresh(name)
end

-- Tools (fura test, run, console) keep the standard globals and `require`; names the bundle has come from it.
if tooling then
  rawset(_G, "host", host)
  table.insert(package.loaders, 2, function(name)
    if not name:match("^[%w_%.]+$") then return nil end
    local chunk, problem = find_module(name)
    if not chunk then return "\n\t" .. problem end
    return function() return require_from("root", name) end
  end)
else
  for _, name in pairs({ "debug", "io", "os", "package", "jit", "ffi", "module", "require", "load", "loadstring",
    "loadfile", "dofile", "newproxy", "setfenv", "getfenv", "collectgarbage", "gcinfo" }) do
    rawset(_G, name, nil)
  end
end

return function()
  is_booting = sleep ~= nil and now_ms ~= nil
  local app = require_from("root", "init")
  if type(app) ~= "table" then error("lua/init.lua must return a table, not " .. type(app), 0) end
  if app.start then app.start() end
  is_booting = false
  return app
end
