--- What each command of tool.world's Redis does: name → {min, max, run(store, …)} with the number of its arguments.
--- Arguments are texts. A run gives a reply (a list with holes says `n`), or nil and the words of Redis.
local collections = require "tool.world.redis_collections"
local values = require "tool.world.redis_values"

local commands = {}
for name, command in pairs(collections) do commands[name] = command end
local define, integer = values.definer(commands), values.integer
local NO_INTEGER, SYNTAX, ANY = values.NO_INTEGER, values.SYNTAX, values.ANY

-- ---- texts ----

local function text_of(store, key)
  local entry = store:get(key)
  if entry and entry.kind ~= "string" then return nil, values.WRONG_TYPE end
  return entry and entry.value, nil, entry
end

define("GET", 1, 1, function(store, key) return text_of(store, key) end)
define("STRLEN", 1, 1, function(store, key)
  local text, problem = text_of(store, key)
  if problem then return nil, problem end
  return #(text or "")
end)
define("GETDEL", 1, 1, function(store, key)
  local text, problem = text_of(store, key)
  if text then store:drop(key) end
  return text, problem
end)
define("GETSET", 2, 2, function(store, key, value)
  local text, problem = text_of(store, key)
  if problem then return nil, problem end
  store:put(key, "string", value)
  return text
end)
define("SETNX", 2, 2, function(store, key, value)
  if store:get(key) then return 0 end
  store:put(key, "string", value)
  return 1
end)
define("APPEND", 2, 2, function(store, key, value)
  local text, problem, entry = text_of(store, key)
  if problem then return nil, problem end
  entry = entry or store:put(key, "string", "")
  entry.value = (text or "") .. value
  return #entry.value
end)

-- Options of SET: EX s, PX ms, NX, XX, KEEPTTL, GET.
local function read_set_options(...)
  local options, words, index = {}, { ... }, 1
  while words[index] do
    local word = words[index]:upper()
    if word == "EX" or word == "PX" then
      local number = integer(words[index + 1] or "")
      if not number then return nil, words[index + 1] and NO_INTEGER or SYNTAX end
      if number <= 0 then return nil, "ERR invalid expire time in 'set' command" end
      options.ttl_ms, index = word == "EX" and number * 1000 or number, index + 1
    elseif word == "NX" or word == "XX" or word == "KEEPTTL" or word == "GET" then
      options[word] = true
    else
      return nil, SYNTAX
    end
    index = index + 1
  end
  if options.NX and options.XX then return nil, SYNTAX end
  return options
end

define("SET", 2, ANY, function(store, key, value, ...)
  local options, problem = read_set_options(...)
  if not options then return nil, problem end
  local before = store:get(key)
  local old
  if options.GET then
    old, problem = text_of(store, key)
    if problem then return nil, problem end
  end
  if options.NX and before or options.XX and not before then return old end
  local entry = store:put(key, "string", value)
  if options.ttl_ms then entry.ends_ms = store:now_ms() + options.ttl_ms end
  if options.KEEPTTL and before then entry.ends_ms = before.ends_ms end
  if options.GET then return old end
  return "OK"
end)
define("SETEX", 3, 3, function(store, key, seconds, value)
  local number = integer(seconds)
  if not number then return nil, NO_INTEGER end
  if number <= 0 then return nil, "ERR invalid expire time in 'setex' command" end
  store:put(key, "string", value).ends_ms = store:now_ms() + number * 1000
  return "OK"
end)
define("MGET", 1, ANY, function(store, ...)
  local list = { n = select("#", ...) }
  for index, key in ipairs { ... } do
    local entry = store:get(key)
    list[index] = entry and entry.kind == "string" and entry.value or nil
  end
  return list
end)

local function add(store, key, delta)
  local text, problem, entry = text_of(store, key)
  if problem then return nil, problem end
  local number = integer(text or "0")
  if not number or not delta then return nil, NO_INTEGER end
  entry = entry or store:put(key, "string", "0")
  entry.value = ("%.0f"):format(number + delta)
  return number + delta
end

define("INCR", 1, 1, function(store, key) return add(store, key, 1) end)
define("DECR", 1, 1, function(store, key) return add(store, key, -1) end)
define("INCRBY", 2, 2, function(store, key, delta) return add(store, key, integer(delta)) end)
define("DECRBY", 2, 2, function(store, key, delta)
  local number = integer(delta)
  return add(store, key, number and -number)
end)

-- ---- keys ----

define("DEL UNLINK", 1, ANY, function(store, ...)
  local gone = 0
  for _, key in ipairs { ... } do
    if store:get(key) then gone = gone + 1 end
    store:drop(key)
  end
  return gone
end)
define("EXISTS", 1, ANY, function(store, ...)
  local found = 0
  for _, key in ipairs { ... } do found = found + (store:get(key) and 1 or 0) end
  return found
end)
define("TYPE", 1, 1, function(store, key)
  local entry = store:get(key)
  return entry and entry.kind or "none"
end)
define("PERSIST", 1, 1, function(store, key)
  local entry = store:get(key)
  if not entry or not entry.ends_ms then return 0 end
  entry.ends_ms = nil
  return 1
end)

local function expire(unit_ms)
  return function(store, key, time)
    local number, entry = integer(time), store:get(key)
    if not number then return nil, NO_INTEGER end
    if not entry then return 0 end
    entry.ends_ms = store:now_ms() + number * unit_ms
    return 1
  end
end
define("EXPIRE", 2, 2, expire(1000))
define("PEXPIRE", 2, 2, expire(1))

local function time_left(unit_ms)
  return function(store, key)
    local entry = store:get(key)
    if not entry then return -2 end
    if not entry.ends_ms then return -1 end
    return math.floor((entry.ends_ms - store:now_ms()) / unit_ms + 0.5)
  end
end
define("TTL", 1, 1, time_left(1000))
define("PTTL", 1, 1, time_left(1))

define("TIME", 0, 0, function(store)
  local ms = store:now_ms()
  return { ("%.0f"):format(math.floor(ms / 1000)), ("%.0f"):format(math.floor(ms % 1000 * 1000)) }
end)
define("PING", 0, 0, function() return "PONG" end)
define("PUBLISH", 2, 2, function(store, channel, message) return store:publish(channel, message) end)

return commands
