-- Against the run's own Redis.
local rate_limit = require "services.rate_limit"

local function take_until_refused(class, subject)
  for count = 0, 100 do
    local passed, failure = rate_limit.take(class, subject)
    if not passed then return count, failure end
  end
end

describe("services.rate_limit", function()
  local subject
  before_each(function() subject = host.crypto.uuid() end)

  it("allows what SPEC 4 says, then says when to come back", function()
    local allowed = { login = 10, payment = 5, promo = 5, response = 20, login_failure = 30 }
    for class, burst in pairs(allowed) do
      local count, failure = take_until_refused(class, subject)
      assert.equal(burst, count, class)
      assert.equal("rate_limited", failure.code)
      assert.is_true(failure.retry_after_s >= 1 and failure.retry_after_s <= 12, class)
    end
  end)

  it("refills the default class within a second", function()
    local count, failure = take_until_refused("default", subject)
    assert.is_true(count >= 20 and count <= 25)
    assert.equal(1, failure.retry_after_s)
  end)

  it("counts every subject and class by itself", function()
    take_until_refused("payment", subject)
    assert.is_true(rate_limit.take("payment", host.crypto.uuid()))
    assert.is_true(rate_limit.take("promo", subject))
  end)

  it("looks without counting", function()
    for _ = 1, 40 do assert.is_true(rate_limit.peek("login_failure", subject)) end
    take_until_refused("login_failure", subject)
    local passed, failure = rate_limit.peek("login_failure", subject)
    assert.is_nil(passed)
    assert.equal("rate_limited", failure.code)
  end)

  it("knows its classes", function()
    assert.has_error(function() rate_limit.take("nothing", subject) end, "unknown rate class nothing")
  end)
end)
