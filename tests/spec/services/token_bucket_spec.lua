-- Against the run's own Redis.
local token_bucket = require "services.token_bucket"

local function bucket(rate, burst)
  return { key = "spec:bucket:" .. host.crypto.uuid(), rate = rate, burst = burst }
end

describe("services.token_bucket", function()
  it("lets a burst through and then says how long to wait", function()
    local slow = bucket(0.1, 3)
    for _ = 1, 3 do assert.is_true((token_bucket.take(slow))) end
    local passed, wait_ms = token_bucket.take(slow)
    assert.is_false(passed)
    assert.is_true(wait_ms > 9000 and wait_ms <= 10000)
  end)

  it("keeps a reserve for others", function()
    local slow = bucket(0.1, 4)
    assert.is_true((token_bucket.take(slow, { reserve = 2 })))
    assert.is_true((token_bucket.take(slow, { reserve = 2 })))
    assert.is_false((token_bucket.take(slow, { reserve = 2 })))
    assert.is_true((token_bucket.take(slow)))
  end)

  it("looks without taking", function()
    local slow = bucket(0.1, 1)
    for _ = 1, 3 do assert.is_true((token_bucket.take(slow, { cost = 0, reserve = 1 }))) end
    assert.is_true((token_bucket.take(slow)))
    assert.is_false((token_bucket.take(slow, { cost = 0, reserve = 1 })))
  end)

  it("never lets more through however many ask at once", function()
    local slow, asks, passed = bucket(0.01, 10), {}, 0
    for n = 1, 40 do asks[n] = function() return (token_bucket.take(slow)) end end
    for _, result in ipairs(host.task.all(asks)) do
      if result[1] then passed = passed + 1 end
    end
    assert.equal(10, passed)
  end)
end)
