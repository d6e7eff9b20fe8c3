-- Against a real Redis of the run's own (REDIS_URL).
describe("host.redis", function()
  local redis, json, task = host.redis, host.json, host.task
  local prefix = "spec:redis:" .. host.crypto.uuid() .. ":"

  local function key(name) return prefix .. name end

  -- Messages sent before Redis knows of the subscription are lost, so wait until it does.
  local function await_subscriber(channel, count)
    repeat
      local reply = assert(redis.command("PUBSUB", "NUMSUB", channel))
      if reply[2] ~= count then task.sleep(1) end
    until reply[2] == count
  end

  local function await(condition)
    local tries = 0
    while not condition() do
      tries = tries + 1
      assert(tries < 5000, "the condition never came true")
      task.sleep(1)
    end
  end

  it("is up", function()
    assert.equal("PONG", redis.command("PING"))
    assert.is_true(redis.is_up())
  end)

  describe("command", function()
    it("gives strings back as they were, whatever their bytes", function()
      local value = "a\0b\r\n$3\r\n\255Москва"
      assert.equal("OK", redis.command("SET", key "bytes", value))
      assert.equal(value, redis.command("GET", key "bytes"))
      assert.equal("", redis.command("ECHO", ""))
    end)

    it("writes numbers exactly", function()
      for number, text in pairs({
        [0] = "0", [-7] = "-7", [2 ^ 53] = "9007199254740992", [1e15] = "1000000000000000",
        [0.1] = "0.1", [82.45] = "82.45", [0.1 + 0.2] = "0.30000000000000004",
      }) do
        assert.equal(text, redis.command("ECHO", number))
      end
    end)

    it("gives integers as numbers", function()
      assert.equal(41, redis.command("INCRBY", key "n", 41))
      assert.equal(42, redis.command("INCR", key "n"))
    end)

    it("tells a missing key from a failure", function()
      local reply, failure = redis.command("GET", key "missing")
      assert.is_nil(reply)
      assert.is_nil(failure)
    end)

    it("gives arrays as tables with json.null for what is missing", function()
      redis.command("MSET", key "a", "1", key "c", "3")
      assert.same({ "1", json.null, "3" }, (redis.command("MGET", key "a", key "b", key "c")))
      assert.same({}, (redis.command("LRANGE", key "no list", 0, -1)))
      assert.same({ { 1, { "deep" } }, 2 }, (redis.command("EVAL", "return {{1,{'deep'}},2}", 0)))
    end)

    it("turns an error reply into a failure with the server's words", function()
      local reply, failure = redis.command("NOSUCHCOMMAND")
      assert.is_nil(reply)
      assert.equal("redis_error", failure.code)
      assert.equal("redis", failure.service)
      assert.truthy(failure.text:find("unknown command", 1, true))
    end)

    it("takes many arguments", function()
      local args = {}
      for i = 1, 3000 do args[i] = i end
      assert.equal(3000, redis.command("RPUSH", key "list", unpack(args)))
      assert.equal("3000", redis.command("LINDEX", key "list", -1))
    end)

    it("raises on what is neither string nor finite number", function()
      for _, wrong in ipairs({ { true }, { {} }, { 0 / 0 }, { 1 / 0 } }) do
        assert.has_error(function() redis.command("SET", key "x", wrong[1]) end)
      end
      assert.has_error(function() redis.command() end)
      assert.has_error(function() redis.command("GET", nil) end)
    end)

    it("keeps commands that would disturb others off the shared connection", function()
      for _, name in ipairs({ "MULTI", "watch", "BLPOP", "SELECT", "SUBSCRIBE", "Monitor" }) do
        local ok, message = pcall(redis.command, name, "x")
        assert.is_false(ok)
        assert.truthy(tostring(message):find(name, 1, true))
      end
      assert.is_false(pcall(redis.command, "CLIENT", "REPLY", "OFF"))
      assert.equal("PONG", redis.command("PING"))
    end)

    it("answers each of many tasks with its own reply", function()
      local fns = {}
      for i = 1, 200 do
        fns[i] = function() return redis.command("ECHO", i) end
      end
      for i, result in ipairs(task.all(fns)) do assert.equal(tostring(i), result[1]) end
    end)

    it("fails with timeout when the task's deadline is near, and stays in step", function()
      local slow = "local t = redis.call('TIME') repeat local n = redis.call('TIME') " ..
        "until (n[1] - t[1]) * 1000000 + n[2] - t[2] > 300000 return 'late'"
      local _, failure = task.with_deadline(50, function() return redis.command("EVAL", slow, 0) end)
      assert.equal("timeout", failure.code)
      assert.equal("mine", redis.command("ECHO", "mine"))
    end)
  end)

  describe("eval", function()
    it("hands over keys and arguments", function()
      local script = "return {KEYS[1], KEYS[2], ARGV[1], ARGV[2]}"
      assert.same({ "k1", "2", "a", "0.5" }, (redis.eval(script, { "k1", 2 }, { "a", 0.5 })))
    end)

    it("sends the text only when Redis does not know it", function()
      local script = "return '" .. host.crypto.uuid() .. "'"
      local value = script:match "'(.*)'"
      assert.equal(value, redis.eval(script, {}, {}))
      local before = assert(redis.command("INFO", "commandstats")):match "cmdstat_eval:calls=(%d+)"
      assert.equal(value, redis.eval(script, {}, {}))
      assert.equal(before, redis.command("INFO", "commandstats"):match "cmdstat_eval:calls=(%d+)")
      redis.command("SCRIPT", "FLUSH")
      assert.equal(value, redis.eval(script, {}, {}))
    end)

    it("gives a script's error as a failure", function()
      local value, failure = redis.eval("return redis.error_reply('LATE too late')", {}, {})
      assert.is_nil(value)
      assert.equal("redis_error", failure.code)
      assert.truthy(failure.text:find("too late", 1, true))
    end)

    it("raises on wrong lists", function()
      assert.has_error(function() redis.eval("return 1") end)
      assert.has_error(function() redis.eval("return 1", { true }, {}) end)
    end)
  end)

  describe("dedicated", function()
    it("runs a transaction and gives what the function returned", function()
      local replies, failure = redis.dedicated(function(connection)
        connection:command("MULTI")
        connection:command("SET", key "tx", "1")
        connection:command("INCR", key "tx")
        return connection:command("EXEC")
      end)
      assert.is_nil(failure)
      assert.same({ "OK", 2 }, replies)
    end)

    it("notices that a watched key was changed", function()
      local reply, failure = redis.dedicated(function(connection)
        connection:command("WATCH", key "watched")
        redis.command("SET", key "watched", "theirs")
        connection:command("MULTI")
        connection:command("SET", key "watched", "mine")
        return connection:command("EXEC")
      end)
      assert.is_nil(reply)
      assert.is_nil(failure)
      assert.equal("theirs", redis.command("GET", key "watched"))
    end)

    it("puts a failure in the place of the command that failed", function()
      redis.command("SET", key "text", "no number")
      local replies = redis.dedicated(function(connection)
        connection:command("MULTI")
        connection:command("INCR", key "text")
        connection:command("GET", key "text")
        return connection:command("EXEC")
      end)
      assert.equal("redis_error", replies[1].code)
      assert.equal("no number", replies[2])
    end)

    it("may block without holding up the shared connection", function()
      local handle = task.spawn(function()
        return redis.dedicated(function(connection) return connection:command("BLPOP", key "queue", 0) end)
      end)
      await(function() return redis.command("INFO", "clients"):find("blocked_clients:1", 1, true) end)
      redis.command("RPUSH", key "queue", "job")
      assert.same({ key "queue", "job" }, (handle:join()))
    end)

    it("closes the connection when its task is cancelled", function()
      local handle = task.spawn(function()
        redis.dedicated(function(connection) connection:command("BLPOP", key "never", 0) end)
      end)
      await(function() return redis.command("INFO", "clients"):find("blocked_clients:1", 1, true) end)
      handle:cancel()
      await(function() return redis.command("INFO", "clients"):find("blocked_clients:0", 1, true) end)
    end)

    it("passes on what its function raises", function()
      local ok, message = pcall(redis.dedicated, function() error("inner") end)
      assert.is_false(ok)
      assert.truthy(message:find("inner", 1, true))
    end)

    it("lends its connection only for the call", function()
      local kept
      redis.dedicated(function(connection) kept = connection end)
      assert.has_error(function() kept:command("PING") end)
    end)

    it("refuses what would put its replies out of order", function()
      redis.dedicated(function(connection)
        assert.has_error(function() connection:command("SUBSCRIBE", "x") end)
        assert.equal("PONG", connection:command("PING"))
      end)
    end)
  end)

  describe("subscribe", function()
    it("calls a function in a new task for each message until closed", function()
      local heard, channel = {}, key "news"
      local subscription = redis.subscribe(channel, function(message)
        task.sleep(1) -- it is a task: it may wait
        heard[#heard + 1] = message
      end)
      await_subscriber(channel, 1)
      assert.equal(1, redis.command("PUBLISH", channel, "one"))
      redis.command("PUBLISH", channel, "")
      await(function() return #heard == 2 end)
      assert.same({ "one", "" }, heard)

      subscription:close()
      subscription:close() -- twice is harmless
      await_subscriber(channel, 0)
      assert.equal(0, redis.command("PUBLISH", channel, "nobody hears"))
    end)

    it("may be closed by the message it hears", function()
      local channel, subscription, calls = key "once", nil, 0
      subscription = redis.subscribe(channel, function()
        calls = calls + 1
        subscription:close()
      end)
      await_subscriber(channel, 1)
      redis.command("PUBLISH", channel, "1")
      redis.command("PUBLISH", channel, "2")
      await_subscriber(channel, 0)
      assert.equal(1, calls)
    end)

    it("tells with nil that messages may have been missed", function()
      local channel, notices = key "lossy", 0
      local subscription = redis.subscribe(channel, function(message)
        if message == nil then notices = notices + 1 end
      end)
      await_subscriber(channel, 1)
      redis.command("CLIENT", "KILL", "TYPE", "pubsub")
      await(function() return notices == 1 end)
      await_subscriber(channel, 1)
      subscription:close()
    end)
  end)
end)
