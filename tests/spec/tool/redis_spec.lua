-- needs services: the Redis of specs is compared with the real one, command by command.
local world_redis = require "tool.world.redis"
local fake = world_redis.new({ clock = { now = host.time.now }, unexpected = error })
local fake_redis = world_redis.replacements(fake).redis
local real = host.redis

local PREFIX = ("spec:fake:%s:"):format(host.crypto.uuid())

-- One step a line: the command and its arguments; words that begin with @ are keys.
local STORIES = {
  texts = [[
    SET @a 1 | GET @a | GET @none | APPEND @a 23 | STRLEN @a | STRLEN @none | INCR @a | INCRBY @a 10 | DECR @a | DECRBY @a 4
    INCR @new | SET @t text | INCR @t | INCRBY @a x | GETSET @a z | GETDEL @a | GETDEL @a | SETNX @a 1 | SETNX @a 2 | GET @a
    SET @a 5 NX | SET @b 5 NX | SET @b 6 XX | SET @c 6 XX | SET @b 7 GET | SET @b 8 EX 0 | SET @b 8 EX x | SET @b 8 NOPE
    SET @b 8 NX XX | MGET @a @none @b | GET | GET @a @b | SETEX @e 100 v | TTL @e | SETEX @e 0 v | SETEX @e x v | TYPE @a | TYPE @none ]],
  life = [[
    SET @a 1 | TTL @a | PTTL @a | TTL @none | EXPIRE @a 100 | TTL @a | PERSIST @a | PERSIST @a | TTL @a | PEXPIRE @a 100000 | TTL @a
    SET @a 2 KEEPTTL | TTL @a | SET @a 2 | TTL @a | EXPIRE @none 1 | EXPIRE @a x | EXPIRE @a -1 | EXISTS @a | SET @a 1 PX 100000 | TTL @a
    INCR @a | TTL @a | SET @b 1 | EXISTS @a @b @b @none | DEL @a @none | UNLINK @b ]],
  hashes = [[
    HSET @h f 1 g 2 | HSET @h f 3 | HGET @h f | HGET @h none | HGET @none f | HMGET @h g none f | HEXISTS @h f | HEXISTS @h none
    HLEN @h | HLEN @none | HINCRBY @h f 5 | HINCRBY @h new 2 | HSET @h t text | HINCRBY @h t 1 | HINCRBY @h f x
    HDEL @h f none
    HGETALL @none | HDEL @h g new t | EXISTS @h | HSET @h f | SET @s 1 | HGET @s f | HSET @s f 1 | HGETALL @s | TYPE @h ]],
  sets = [[
    SADD @s a b a | SADD @s a | SISMEMBER @s a | SISMEMBER @s x | SISMEMBER @none a | SCARD @s | SCARD @none | SREM @s a x | SMEMBERS @s
    SREM @s b | EXISTS @s | SMEMBERS @none | SET @t 1 | SADD @t a | SMEMBERS @t | SADD @s ]],
  lists = [[
    RPUSH @l a b c | LPUSH @l z y | LRANGE @l 0 -1 | LRANGE @l 1 2 | LRANGE @l -2 -1 | LRANGE @l 5 9 | LRANGE @l -100 100 | LRANGE @l 2 1
    LLEN @l | LPOP @l | RPOP @l | LPOP @none | LTRIM @l 0 1 | LRANGE @l 0 -1 | LTRIM @l 5 9 | EXISTS @l | LRANGE @none 0 -1 | LRANGE @l x 1
    SET @t 1 | LPUSH @t a | LLEN @t | LLEN @none | LTRIM @none 0 1 | RPUSH @m a | LPOP @m | TYPE @m ]],
  sorted = [[
    ZADD @z 1 a 2 b 3 c | ZADD @z 5 a 4 d | ZSCORE @z a | ZSCORE @z none | ZCARD @z | ZCARD @none | ZRANGE @z 0 -1
    ZRANGE @z 0 1 WITHSCORES | ZRANGE @z -2 -1 | ZRANGE @z 9 10 | ZRANGE @z 0 -1 REV | ZRANGEBYSCORE @z 2 4
    ZRANGEBYSCORE @z (2 +inf WITHSCORES
    ZRANGEBYSCORE @z -inf (4 LIMIT 1 1 | ZRANGEBYSCORE @z x 4 | ZCOUNT @z 2 (5 | ZINCRBY @z 1.5 a | ZINCRBY @z x a | ZREMRANGEBYSCORE @z 2 3
    ZRANGE @z 0 -1 WITHSCORES | ZREM @z a none | ZREM @z d | EXISTS @z | ZADD @z x a | ZADD @z 1 | ZADD @z 1 a 2 | SET @t 1 | ZADD @t 1 a
    ZADD @z 1 bb 1 ba 0 c | ZRANGE @z 0 -1 | ZRANGE @none 0 -1 | ZRANGE @z 0 -1 NOPE | ZADD @z 0.1 f | ZSCORE @z f
    ZADD @z inf i | ZSCORE @z i ]],
}

local function steps_of(story)
  local steps = {}
  for line in story:gmatch "[^\n|]+" do
    local words = {}
    for word in line:gmatch "%S+" do words[#words + 1] = (word:gsub("^@", PREFIX)) end
    if #words > 0 then steps[#steps + 1] = words end
  end
  return steps
end

-- A set has no order; what Redis refuses is compared by its first word, as versions word it differently.
local function said(words, reply, problem)
  if problem then return { refused = problem.text:match "^%S+" } end
  if words[1] == "SMEMBERS" then table.sort(reply) end
  return { reply = reply == nil and "(nothing)" or reply }
end

describe("the Redis of specs", function()
  for name, story in pairs(STORIES) do
    it(("says of %s what the real one says"):format(name), function()
      world_redis.reset(fake)
      for index, words in ipairs(steps_of(story)) do
        local line = ("step %d: %s"):format(index, table.concat(words, " "):gsub(PREFIX:gsub("%-", "%%-"), "@"))
        local mine = said(words, fake_redis.command(unpack(words)))
        local theirs = said(words, real.command(unpack(words)))
        assert.same({ line, theirs }, { line, mine })
      end
      for _, words in ipairs(steps_of(story)) do real.command("DEL", words[2] or "x") end
    end)
  end

  it("knows every command that plugins may use", function()
    local source, commands = host.script.read "lua/kit/plugin_host.lua", require "tool.world.redis_commands"
    for list in source:gmatch 'for command in (.-):gmatch' do
      for command in list:gmatch "%u[%u]+" do assert.is_not_nil(commands[command], command) end
    end
  end)

  it("runs scripts as the real one does", function()
    local script = [[
      local n = redis.call("INCRBY", KEYS[1], ARGV[1])
      local missing = redis.call("GET", KEYS[2])
      return { n, missing == false and "none" or missing, 1.9, { "in", false, "after" }, tostring(ARGV[2]) }]]
    local keys, arguments = { PREFIX .. "n", PREFIX .. "missing" }, { 5, "x" }
    assert.same(real.eval(script, keys, arguments), fake_redis.eval(script, keys, arguments))
    real.command("DEL", PREFIX .. "n")
    local _, problem = fake_redis.eval("return redis.call('INCR')", {}, {})
    assert.matches("wrong number of arguments", problem.text)
  end)

  it("lets keys end by the clock of the spec", function()
    local at_s = 1000
    local own = world_redis.new({ clock = { now = function() return at_s end }, unexpected = error })
    local redis = world_redis.replacements(own).redis
    redis.command("SET", "k", "v", "EX", 10)
    at_s = 1009.9
    assert.equal("v", redis.command("GET", "k"))
    at_s = 1010
    assert.is_nil(redis.command("GET", "k"))
  end)

  it("says which command it does not know", function()
    assert.has_error(function() fake_redis.command("BITCOUNT", "k") end,
      "the Redis of specs does not know BITCOUNT: use another command, or the real services")
  end)
end)
