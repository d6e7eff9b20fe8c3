--- What a plugin sees: the plain language, and of `host` what everybody has plus what it names in `needs`.
--- Its keys in Redis and in shared memory, its log lines and its metrics carry its name by themselves.
local host = host

local plugin_host = {}

local ALWAYS = { "json", "crypto", "time" }

-- Where the keys stand among a command's arguments: the first one, or all of them.
local KEYS = {}
for command in ("GET SET SETEX SETNX GETSET GETDEL INCR INCRBY DECR DECRBY APPEND STRLEN EXPIRE PEXPIRE TTL PTTL PERSIST TYPE "
  .. "HGET HSET HDEL HGETALL HINCRBY HEXISTS HLEN HMGET SADD SREM SISMEMBER SMEMBERS SCARD LPUSH RPUSH LPOP RPOP LLEN LRANGE LTRIM "
  .. "ZADD ZREM ZRANGE ZRANGEBYSCORE ZSCORE ZCARD ZCOUNT ZINCRBY ZREMRANGEBYSCORE"):gmatch "%S+" do
  KEYS[command] = "first"
end
for command in ("DEL UNLINK EXISTS MGET"):gmatch "%S+" do KEYS[command] = "all" end

local function prefixed(prefix, keys)
  local made = {}
  for index, key in ipairs(keys) do made[index] = prefix .. tostring(key) end
  return made
end

local makers = {}

function makers.redis(name)
  local prefix = "plugin:" .. name .. ":"
  local redis = {}
  function redis.command(command, ...)
    local where = KEYS[tostring(command):upper()]
    if not where then error(("plugins may not use the Redis command %s"):format(tostring(command)), 2) end
    if where == "all" then return host.redis.command(command, unpack(prefixed(prefix, { ... }))) end
    return host.redis.command(command, prefix .. tostring((...)), select(2, ...))
  end
  function redis.eval(script, keys, arguments)
    return host.redis.eval(script, prefixed(prefix, keys), arguments)
  end
  redis.is_up = host.redis.is_up
  return redis
end

function makers.shared(name)
  local prefix, shared = "plugin:" .. name .. ":", {}
  for _, operation in ipairs { "get", "set", "add", "increment", "compare_and_set", "delete" } do
    shared[operation] = function(key, ...) return host.shared[operation](prefix .. tostring(key), ...) end
  end
  return shared
end

local function log_of(name)
  local log = {}
  for _, level in ipairs { "debug", "info", "warn", "error" } do
    log[level] = function(message, fields)
      local all = { plugin = name }
      for key, value in pairs(fields or {}) do all[key] = value end
      host.log[level](message, all)
    end
  end
  return log
end

local function metrics_of(name)
  local prefix, metrics = "plugin_" .. name .. "_", {}
  for _, operation in ipairs { "count", "gauge", "observe" } do
    metrics[operation] = function(metric, ...) return host.metrics[operation](prefix .. metric, ...) end
  end
  return metrics
end

-- A copy: what a plugin changes in it is changed for nobody else.
local function pass(module)
  return function()
    local copy = {}
    for key, value in pairs(host[module]) do copy[key] = value end
    return copy
  end
end
makers.http, makers.pg, makers.task, makers.timer = pass "http", pass "pg", pass "task", pass "timer"

--- The capabilities a plugin may name, sorted; those that all have may be named too. `services`: further ones by name, as
--- functions of the plugin's name.
function plugin_host.capabilities(services)
  local names = { "log", "metrics", unpack(ALWAYS) }
  for name in pairs(makers) do names[#names + 1] = name end
  for name in pairs(services) do
    if not makers[name] then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function view(name, needs, services)
  local modules = { log = log_of(name), metrics = metrics_of(name), env = host.config.env, plugin = name }
  for _, module in ipairs(ALWAYS) do modules[module] = pass(module)() end
  for _, need in ipairs(needs) do
    local make = services[need] or makers[need]
    if make then modules[need] = make(name) end
  end
  return setmetatable(modules, { __index = function(_, key)
    local known = makers[key] or services[key]
    error(known and ("plugin %s has not asked for host.%s: add \"%s\" to its needs"):format(name, key, key)
      or ("there is no host.%s for plugins"):format(tostring(key)), 2)
  end, __newindex = function() error("host cannot be changed", 2) end, __metatable = false })
end

local BASE = { "assert", "error", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawset", "select",
  "setmetatable", "getmetatable", "tonumber", "tostring", "type", "unpack", "xpcall" }
local LIBRARIES = { "string", "table", "math", "bit" }

local here = { assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, pcall = pcall,
  rawequal = rawequal, rawget = rawget, rawset = rawset, select = select, setmetatable = setmetatable,
  getmetatable = getmetatable, tonumber = tonumber, tostring = tostring, type = type, unpack = unpack, xpcall = xpcall,
  string = string, table = table, math = math, bit = bit }

--- The globals of a plugin's file. `host` is put in by grant(), once its needs are known.
function plugin_host.environment()
  local environment = {}
  for _, name in ipairs(BASE) do environment[name] = here[name] end
  for _, library in ipairs(LIBRARIES) do
    environment[library] = {}
    for key, value in pairs(here[library]) do environment[library][key] = value end
  end
  return setmetatable(environment, {
    __index = function(_, key)
      if key == "host" then error("host can be used inside of functions only, when the plugin runs", 2) end
      if key == "require" then error("a plugin requires nothing: what it needs is in its folder's plugin.lua and in host", 2) end
      error(("unknown name '%s': misspelt, or a local that was never declared"):format(tostring(key)), 2)
    end,
    __newindex = function(_, key)
      error(("'%s' is assigned but not declared: write local %s"):format(tostring(key), tostring(key)), 2)
    end,
  })
end

--- Give a plugin the part of `host` that it asked for.
function plugin_host.grant(environment, name, needs, services)
  rawset(environment, "host", view(name, needs, services))
end

return plugin_host
