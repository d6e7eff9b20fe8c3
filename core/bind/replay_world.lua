-- Makes the table `host` of a replay: reading goes where it always goes, writing is answered as if it were done, and
-- nobody outside is asked. Arguments: host; inside (replay_world.c). Returns serve(asked, dispatch, index).
local host, inside = ...
local error, pairs, rawset, select, setmetatable = error, pairs, rawset, select, setmetatable
local tostring, type, unpack = tostring, type, unpack
local needs, mistake = inside.needs, inside.mistake
local upper, lower = string.upper, string.lower

local CODE = "replay" -- of the failures that only a replay has

-- How likely it is that an answer failed for lack of it: most that is written is for later.
local CALL, WRITE, ASIDE = 3, 2, 1

local function refuse(service, what, weight)
  needs(what, weight or ASIDE)
  return inside.failure(CODE, service, "a replay does without " .. what)
end

local function nothing() end

local function set_of(words)
  local set = {}
  for word in words:gmatch "%S+" do set[word] = true end
  return set
end

local function inert(method)
  return function() return { [method] = nothing } end
end

-- ---- host.redis ----

local READS = set_of [[
  GET MGET EXISTS TTL PTTL EXPIRETIME PEXPIRETIME TYPE STRLEN GETRANGE GETBIT BITCOUNT PING TIME ECHO DBSIZE
  HGET HMGET HGETALL HEXISTS HLEN HKEYS HVALS HSTRLEN SISMEMBER SMISMEMBER SMEMBERS SCARD SRANDMEMBER SINTER SUNION SDIFF
  LRANGE LLEN LINDEX LPOS ZRANGE ZRANGEBYSCORE ZREVRANGE ZREVRANGEBYSCORE ZSCORE ZMSCORE ZCARD ZCOUNT ZRANK ZREVRANK
  XRANGE XREVRANGE XLEN SCAN HSCAN SSCAN ZSCAN KEYS GEOPOS GEODIST ]]
local ANSWERED_OK = set_of "SET SETEX PSETEX MSET HMSET LTRIM LSET RENAME SELECT FLUSHDB FLUSHALL"

if host.redis then
  local redis, command = host.redis, host.redis.command
  function redis.command(name, ...)
    local word = upper(tostring(name))
    if READS[word] then return command(name, ...) end
    return ANSWERED_OK[word] and "OK" or 1
  end
  -- What a script writes cannot be told before it runs.
  function redis.eval() return refuse("redis", "scripts in Redis") end
  function redis.dedicated() return refuse("redis", "a Redis connection of its own") end
  redis.subscribe = inert "close"
end

-- ---- host.pg ----

do
  local pg = host.pg
  local transaction = pg.transaction

  -- sqlstate 25006: read_only_sql_transaction
  local function tell(result, failure, ...)
    if result == nil and type(failure) == "table" and failure.code == "sqlstate_25006" then needs("writing to the database", WRITE) end
    return result, failure, ...
  end

  local function watched(tx)
    return {
      query = function(_, ...) return tell(tx:query(...)) end,
      one = function(_, ...) return tell(tx:one(...)) end,
      savepoint = function(_, fn) return tx:savepoint(function(inner) return fn(watched(inner)) end) end,
    }
  end

  local function read_only(options)
    local copy = {}
    for name, value in pairs(options or {}) do copy[name] = value end
    copy.read_only = true
    return copy
  end

  function pg.transaction(fn, options)
    return transaction(function(tx) return fn(watched(tx)) end, read_only(options))
  end
  -- One statement in a transaction of its own; its rows, or nil without a failure, leave the transaction by a box.
  local function alone(method)
    return function(...)
      local arguments, count, box = { ... }, select("#", ...), nil
      local done, failure = transaction(function(tx)
        local result, problem = tell(tx[method](tx, unpack(arguments, 1, count)))
        if problem then return nil, problem end
        box = result
        return true
      end, { read_only = true })
      if not done then return nil, failure end
      return box
    end
  end
  pg.query, pg.one = alone "query", alone "one"
  pg.listen = inert "close"
end

-- ---- host.http, host.script, host.timer, host.metrics ----

function host.http.request(request)
  local origin = type(request) == "table" and tostring(request.url):match "^%a+://[^/?#]*" or "an address"
  return refuse("http", "calling " .. origin, CALL)
end

function host.script.ask_master() return refuse("master", "orders to the server") end
host.timer.after, host.timer.every = inert "cancel", inert "cancel"
host.metrics.count, host.metrics.gauge, host.metrics.observe = nothing, nothing, nothing

-- ---- host.shared: judged by what is there, and left as it is ----

if host.shared then
  local shared, get = host.shared, host.shared.get
  function shared.set() return true end
  function shared.add(key) return get(key) == nil end
  function shared.increment(key, delta) return (get(key) or 0) + (delta or 1) end
  function shared.compare_and_set(key, expected) return get(key) == expected end
  shared.delete = nothing
end

-- ---- host.log: errors are findings, the rest is of no interest ----

do
  local function say(message, fields)
    local text, reason = tostring(message), fields and (fields.error or fields.failure or fields.reason)
    return reason and text .. ": " .. tostring(reason) or text
  end
  host.log.debug, host.log.info, host.log.warn = nothing, nothing, nothing
  function host.log.error(message, fields) mistake(say(message, fields)) end
  if host.script.complain then host.script.complain = function(text) mistake(tostring(text)) end end
end

-- ---- a recorded request as dispatch knows requests ----

local MEMBERS = set_of [[method path query_string params body id address scheme host route allow is_local listener context
  driver_id replay_of]]

local methods = {}

function methods:header(name) return self.headers[lower(name)] end
function methods:cookie() return nil end

local request_meta = {
  __index = function(_, key)
    if methods[key] then return methods[key] end
    if not MEMBERS[key] then error(("a request has no member '%s'"):format(tostring(key)), 2) end
  end,
  __newindex = function(request, key, value)
    if key ~= "driver_id" then error(("request.%s cannot be set: put it into request.context"):format(tostring(key)), 2) end
    rawset(request, key, value)
  end,
  __metatable = false,
}

local function request_of(asked)
  return setmetatable({
    method = asked.method, path = asked.path, query_string = asked.query, params = asked.params, body = "", id = "replay",
    address = "127.0.0.1", scheme = "https", host = "localhost", route = asked.route, allow = asked.allow, is_local = false,
    listener = 0, context = {}, replay_of = asked.driver, headers = asked.headers or {},
  }, request_meta)
end

local function header_of(response, wanted)
  for name, value in pairs(response.headers or {}) do
    if lower(name) == wanted then return type(value) == "table" and tostring(value[1]) or tostring(value) end
  end
  return ""
end

return function(asked, dispatch, index)
  local response = dispatch(request_of(asked), index)
  if type(response) ~= "table" then error("a handler must return a response table, not " .. type(response), 0) end
  if response.stream then error("its answer is a stream", 0) end
  local status, body = response.status or 200, response.body
  if type(status) ~= "number" or status < 200 or status > 599 then error("response.status must be 200 to 599", 0) end
  if body ~= nil and type(body) ~= "string" then error("response.body must be a string, not a " .. type(body), 0) end
  return status, header_of(response, "content-type"), header_of(response, "location"), body or ""
end
