-- Against the run's own Redis.
local copies = require "services.copies"

local function spec_of(fetch, changes)
  local spec = { name = "spec", key = "spec:copy:" .. host.crypto.uuid(), fresh_s = 60, keep_s = 60, fetch = fetch }
  for name, value in pairs(changes or {}) do spec[name] = value end
  return spec
end

local function failing() return nil, { code = "upstream_unavailable" } end

describe("services.copies", function()
  it("fetches once and then answers from the copy", function()
    local calls = 0
    local spec = spec_of(function() calls = calls + 1 return "body\nwith lines" end)
    local copy, state = copies.get(spec)
    assert.equal("body\nwith lines", copy.text)
    assert.equal("miss", state)
    assert.equal("hit", select(2, copies.get(spec)))
    assert.equal(1, calls)
  end)

  it("fetches once for all who ask at the same time", function()
    local calls = 0
    local spec = spec_of(function()
      calls = calls + 1
      host.task.sleep(20)
      return "x"
    end)
    local asks = {}
    for n = 1, 20 do asks[n] = function() return copies.get(spec) end end
    for _, result in ipairs(host.task.all(asks)) do assert.equal("x", result[1].text) end
    assert.equal(1, calls)
  end)

  it("waits for another node's fetch instead of its own", function()
    local spec = spec_of(function() return "mine" end)
    host.redis.command("SET", "lock:" .. spec.key, "another node", "PX", 5000)
    local asking = host.task.spawn(function() return copies.get(spec) end)
    host.redis.command("SET", spec.key, ("%.3f\ntheirs"):format(host.time.now()), "EX", 60)
    assert.equal("theirs", asking:join().text)
  end)

  it("serves a stale copy when nothing fresh can be had, and does not ask at every turn", function()
    local calls = 0
    local spec = spec_of(function() calls = calls + 1 return failing() end)
    host.redis.command("SET", spec.key, ("%.3f\nold"):format(host.time.now() - 100), "EX", 60)
    for _ = 1, 3 do
      local copy, state = copies.get(spec)
      assert.equal("old", copy.text)
      assert.equal("stale", state)
    end
    assert.equal(1, calls)
  end)

  it("fails only when nothing is stored", function()
    local copy, state, failure = copies.get(spec_of(failing))
    assert.is_nil(copy)
    assert.is_nil(state)
    assert.equal("upstream_unavailable", failure.code)
  end)

  it("does not serve a copy of what is gone", function()
    local spec = spec_of(function() return nil, { code = "not_found" } end)
    host.redis.command("SET", spec.key, ("%.3f\nold"):format(host.time.now() - 100), "EX", 60)
    assert.equal("not_found", select(3, copies.get(spec)).code)
  end)

  it("lets a driver's fetch succeed beside one in the background that fails", function()
    local key = "spec:copy:" .. host.crypto.uuid()
    local limited = spec_of(function()
      host.task.sleep(30)
      return failing()
    end, { key = key, background = true })
    copies.refresh_later(limited)
    host.task.sleep(5)
    local copy, state = copies.get(spec_of(function() return "mine" end, { key = key }))
    assert.equal("mine", copy.text)
    assert.equal("miss", state)
    assert.is_nil(host.shared.get("failed:" .. key))
  end)

  it("forgets the copy of what is gone", function()
    local spec = spec_of(function() return nil, { code = "not_found" } end)
    host.redis.command("SET", spec.key, ("%.3f\nold"):format(host.time.now() - 100), "EX", 60)
    copies.get(spec)
    assert.is_nil((copies.peek(spec)))
  end)
end)
