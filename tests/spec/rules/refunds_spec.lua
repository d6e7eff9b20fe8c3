local world = require "tool.world"

describe("rules.refunds", function()
  local refunds = world.rule "refunds"

  local function take(changes)
    local payment = { amount_kopecks = 49900, days = 30, refunded_kopecks = 49900, taken_days = 0, unused_days = 30 }
    for key, value in pairs(changes) do payment[key] = value end
    return refunds.days_to_take(payment)
  end

  it("takes all days that are left for all the money", function()
    assert.equal(30, take {})
    assert.equal(12, take { unused_days = 12 })
    assert.equal(0, take { unused_days = 0 })
    assert.equal(20, take { taken_days = 10, unused_days = 20 })
  end)

  it("rounds once, so that a share that comes out even is not a day short", function()
    assert.equal(29, take { amount_kopecks = 10000, days = 100, refunded_kopecks = 2900, unused_days = 100 })
    assert.equal(63, take { amount_kopecks = 129900, days = 90, refunded_kopecks = 90930, unused_days = 90 })
  end)

  it("takes never more than was bought, whatever the order of partial refunds", function()
    math.randomseed(11)
    for _ = 1, 500 do
      local amount, days = math.random(100, 500000), math.random(1, 365)
      local refunded, taken = 0, 0
      while refunded < amount do
        refunded = math.min(amount, refunded + math.random(1, amount))
        local more = refunds.days_to_take { amount_kopecks = amount, days = days, refunded_kopecks = refunded,
          taken_days = taken, unused_days = days - taken }
        assert.is_true(more >= 0)
        taken = taken + more
        assert.is_true(taken <= days and taken <= math.ceil(days * refunded / amount))
      end
      assert.equal(days, taken)
    end
  end)
end)
