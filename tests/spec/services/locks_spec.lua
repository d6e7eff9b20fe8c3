-- Against the run's own Redis.
local locks = require "services.locks"

describe("services.locks", function()
  local name
  before_each(function() name = "spec:" .. host.crypto.uuid() end)

  local function ttl_ms() return host.redis.command("PTTL", "lock:" .. name) end

  it("has one holder", function()
    assert.is_true(locks.take(name, "a"))
    assert.is_false(locks.take(name, "b"))
    locks.free(name, "b")
    assert.is_false(locks.take(name, "b"))
    locks.free(name, "a")
    assert.is_true(locks.take(name, "b"))
  end)

  it("lives shortly, so that a dead holder is not waited for", function()
    locks.take(name, "a")
    assert.is_true(ttl_ms() <= 3000)
  end)

  it("is renewed while it is held, and no longer", function()
    locks.take(name, "a")
    local result, failure = locks.hold(name, "a", function()
      host.redis.command("PEXPIRE", "lock:" .. name, 1500)
      host.task.sleep(1200)
      assert.is_true(ttl_ms() > 1500)
      return "done", "and why"
    end)
    assert.equal("done", result)
    assert.equal("and why", failure)
    locks.free(name, "a")
    assert.equal(-2, ttl_ms())
  end)

  it("is not taken back from another once it was lost", function()
    locks.take(name, "a")
    locks.hold(name, "a", function()
      host.redis.command("SET", "lock:" .. name, "b", "PX", 2500)
      host.task.sleep(1200)
    end)
    locks.free(name, "a")
    assert.equal("b", host.redis.command("GET", "lock:" .. name))
  end)
end)
