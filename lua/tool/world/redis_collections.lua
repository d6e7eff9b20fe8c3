--- Hashes, sets, lists and sorted sets of tool.world's Redis; the shape of a command is in redis_commands.lua.
local values = require "tool.world.redis_values"

local commands = {}
local define, value_of, each_pair, integer = values.definer(commands), values.of, values.each_pair, values.integer
local NO_INTEGER, NO_FLOAT, SYNTAX, ANY = values.NO_INTEGER, values.NO_FLOAT, values.SYNTAX, values.ANY

local function drop_when_empty(store, key, value)
  if next(value) == nil then store:drop(key) end
end

-- Hashes, sets and sorted sets are tables by field or member; how many they have, and taking some away, is the same.
local function counter(kind)
  return function(store, key)
    local map, problem = value_of(store, key, kind)
    if problem then return nil, problem end
    local number = 0
    for _ in pairs(map or {}) do number = number + 1 end
    return number
  end
end

local function remover(kind)
  return function(store, key, ...)
    local map, problem = value_of(store, key, kind)
    if problem then return nil, problem end
    local gone = 0
    for _, name in ipairs { ... } do
      if map and map[name] ~= nil then map[name], gone = nil, gone + 1 end
    end
    if map then drop_when_empty(store, key, map) end
    return gone
  end
end

-- ---- maps ----

define("HGET", 2, 2, function(store, key, field)
  local map, problem = value_of(store, key, "hash")
  return map and map[field], problem
end)
define("HSET", 3, ANY, function(store, key, ...)
  if select("#", ...) % 2 == 1 then return nil, "ERR wrong number of arguments for 'hset' command" end
  local map, problem = value_of(store, key, "hash", true)
  if not map then return nil, problem end
  local new = 0
  for field, value in each_pair(...) do
    if map[field] == nil then new = new + 1 end
    map[field] = value
  end
  return new
end)
define("HDEL", 2, ANY, remover "hash")
define("HGETALL", 1, 1, function(store, key)
  local map, problem = value_of(store, key, "hash")
  if problem then return nil, problem end
  local fields, list = {}, {}
  for field in pairs(map or {}) do fields[#fields + 1] = field end
  table.sort(fields)
  for _, field in ipairs(fields) do
    list[#list + 1] = field
    list[#list + 1] = map[field]
  end
  return list
end)
define("HMGET", 2, ANY, function(store, key, ...)
  local map, problem = value_of(store, key, "hash")
  if problem then return nil, problem end
  local list = { n = select("#", ...) }
  for index, field in ipairs { ... } do list[index] = map and map[field] or nil end
  return list
end)
define("HEXISTS", 2, 2, function(store, key, field)
  local map, problem = value_of(store, key, "hash")
  if problem then return nil, problem end
  return map and map[field] ~= nil and 1 or 0
end)
define("HLEN", 1, 1, counter "hash")
define("HINCRBY", 3, 3, function(store, key, field, delta)
  local number = integer(delta)
  if not number then return nil, NO_INTEGER end
  local map, problem = value_of(store, key, "hash", true)
  if not map then return nil, problem end
  local before = integer(map[field] or "0")
  if not before then return nil, "ERR hash value is not an integer" end
  map[field] = ("%.0f"):format(before + number)
  return before + number
end)

-- ---- sets ----

define("SADD", 2, ANY, function(store, key, ...)
  local set, problem = value_of(store, key, "set", true)
  if not set then return nil, problem end
  local new = 0
  for _, member in ipairs { ... } do
    if not set[member] then set[member], new = true, new + 1 end
  end
  return new
end)
define("SREM", 2, ANY, remover "set")
define("SISMEMBER", 2, 2, function(store, key, member)
  local set, problem = value_of(store, key, "set")
  if problem then return nil, problem end
  return set and set[member] and 1 or 0
end)
define("SMEMBERS", 1, 1, function(store, key)
  local set, problem = value_of(store, key, "set")
  if problem then return nil, problem end
  local list = {}
  for member in pairs(set or {}) do list[#list + 1] = member end
  table.sort(list)
  return list
end)
define("SCARD", 1, 1, counter "set")

-- ---- lists ----

-- From and to of a range with negative places, as 1-based positions.
local function span(length, first, last)
  if first < 0 then first = math.max(0, length + first) end
  if last < 0 then last = length + last end
  return first + 1, math.min(last, length - 1) + 1
end

local function push(at_front)
  return function(store, key, ...)
    local list, problem = value_of(store, key, "list", true)
    if not list then return nil, problem end
    for _, item in ipairs { ... } do table.insert(list, at_front and 1 or #list + 1, item) end
    return #list
  end
end
define("LPUSH", 2, ANY, push(true))
define("RPUSH", 2, ANY, push(false))

local function pop(at_front)
  return function(store, key)
    local list, problem = value_of(store, key, "list")
    if not list then return nil, problem end
    local item = table.remove(list, at_front and 1 or #list)
    drop_when_empty(store, key, list)
    return item
  end
end
define("LPOP", 1, 1, pop(true))
define("RPOP", 1, 1, pop(false))

define("LLEN", 1, 1, function(store, key)
  local list, problem = value_of(store, key, "list")
  if problem then return nil, problem end
  return #(list or {})
end)

local function slice(store, key, first, last)
  local from, to = integer(first), integer(last)
  if not from or not to then return nil, NO_INTEGER end
  local list, problem = value_of(store, key, "list")
  if problem then return nil, problem end
  local part = {}
  from, to = span(#(list or {}), from, to)
  for index = from, to do part[#part + 1] = list[index] end
  return part
end
define("LRANGE", 3, 3, slice)
define("LTRIM", 3, 3, function(store, key, first, last)
  local part, problem = slice(store, key, first, last)
  if not part then return nil, problem end
  local entry = store:get(key)
  if entry and #part == 0 then store:drop(key) elseif entry then entry.value = part end
  return "OK"
end)

-- ---- sorted sets ----

local function score_of(text)
  if text == "+inf" or text == "inf" then return math.huge end
  if text == "-inf" then return -math.huge end
  local number = tonumber(text)
  return number and number == number and number or nil
end

local function shown_score(score)
  if score == math.huge then return "inf" end
  if score == -math.huge then return "-inf" end
  return ("%.17g"):format(score)
end

-- {score, member}, lowest first.
local function ranked(set)
  local list = {}
  for member, score in pairs(set or {}) do list[#list + 1] = { score = score, member = member } end
  table.sort(list, function(a, b)
    if a.score ~= b.score then return a.score < b.score end
    return a.member < b.member
  end)
  return list
end

define("ZADD", 3, ANY, function(store, key, ...)
  if select("#", ...) % 2 == 1 then return nil, SYNTAX end
  for score in each_pair(...) do
    if not score_of(score) then return nil, NO_FLOAT end
  end
  local set, problem = value_of(store, key, "zset", true)
  if not set then return nil, problem end
  local new = 0
  for score, member in each_pair(...) do
    if not set[member] then new = new + 1 end
    set[member] = score_of(score)
  end
  return new
end)
define("ZREM", 2, ANY, remover "zset")
define("ZSCORE", 2, 2, function(store, key, member)
  local set, problem = value_of(store, key, "zset")
  if problem then return nil, problem end
  return set and set[member] and shown_score(set[member]) or nil
end)
define("ZCARD", 1, 1, counter "zset")
define("ZINCRBY", 3, 3, function(store, key, delta, member)
  local number = score_of(delta)
  if not number then return nil, NO_FLOAT end
  local set, problem = value_of(store, key, "zset", true)
  if not set then return nil, problem end
  set[member] = (set[member] or 0) + number
  return shown_score(set[member])
end)

local function with_scores(list, wanted)
  local shown = {}
  for _, item in ipairs(list) do
    shown[#shown + 1] = item.member
    if wanted then shown[#shown + 1] = shown_score(item.score) end
  end
  return shown
end

define("ZRANGE", 3, 5, function(store, key, first, last, ...)
  local options = {}
  for _, word in ipairs { ... } do options[word:upper()] = true end
  for word in pairs(options) do
    if word ~= "WITHSCORES" and word ~= "REV" then return nil, SYNTAX end
  end
  local from, to = integer(first), integer(last)
  if not from or not to then return nil, NO_INTEGER end
  local set, problem = value_of(store, key, "zset")
  if problem then return nil, problem end
  local list, part = ranked(set), {}
  from, to = span(#list, from, to)
  for index = from, to do part[#part + 1] = list[options.REV and #list - index + 1 or index] end
  return with_scores(part, options.WITHSCORES)
end)

-- A bound of a range of scores, as a test of a score: "5", "(5", "-inf".
local function bound(text, fits)
  local open = text:sub(1, 1) == "("
  local score = score_of(open and text:sub(2) or text)
  return score and function(value) return value ~= score and fits(value, score) or value == score and not open end
end

-- Those between two bounds, lowest first; nil and a text.
local function between(store, key, min, max)
  local above = bound(min, function(value, limit) return value > limit end)
  local below = bound(max, function(value, limit) return value < limit end)
  if not above or not below then return nil, "ERR min or max is not a float" end
  local set, problem = value_of(store, key, "zset")
  if problem then return nil, problem end
  local found = {}
  for _, item in ipairs(ranked(set)) do
    if above(item.score) and below(item.score) then found[#found + 1] = item end
  end
  return found, nil, set
end

define("ZCOUNT", 3, 3, function(store, key, min, max)
  local found, problem = between(store, key, min, max)
  return found and #found, problem
end)
define("ZREMRANGEBYSCORE", 3, 3, function(store, key, min, max)
  local found, problem, set = between(store, key, min, max)
  if not found then return nil, problem end
  for _, item in ipairs(found) do set[item.member] = nil end
  if set then drop_when_empty(store, key, set) end
  return #found
end)
define("ZRANGEBYSCORE", 3, 7, function(store, key, min, max, ...)
  local words, scores, offset, limit = { ... }, false, 0, ANY
  local index = 1
  while words[index] do
    local word = words[index]:upper()
    if word == "WITHSCORES" then
      scores = true
    elseif word == "LIMIT" and words[index + 2] then
      offset, limit, index = integer(words[index + 1]), integer(words[index + 2]), index + 2
      if not offset or not limit then return nil, NO_INTEGER end
    else
      return nil, SYNTAX
    end
    index = index + 1
  end
  local found, problem = between(store, key, min, max)
  if not found then return nil, problem end
  local part = {}
  for place = offset + 1, limit < 0 and #found or math.min(#found, offset + limit) do part[#part + 1] = found[place] end
  return with_scores(part, scores)
end)

return commands
