-- Rules of money: tariffs, promo codes, refunds, flags.
local rules = require "kit.rules"

describe("rules.tariffs", function()
  local tariffs = rules.tariffs

  local function one(changes)
    local tariff = { name = "week", title = { ru = "Неделя" }, days = 7, price_kopecks = 14900 }
    for key, value in pairs(changes or {}) do tariff[key] = value end
    return { tariff }
  end

  it("sells the four of the specification", function()
    local shown = {}
    for _, tariff in ipairs(tariffs.list) do
      shown[#shown + 1] = ("%s %d %d"):format(tariff.name, tariff.price_kopecks, tariff.days)
    end
    assert.same({ "1_month 49900 30", "3_months 129900 90", "6_months 239900 180", "12_months 399900 365" }, shown)
    assert.equal("", tariffs.problem(tariffs.list))
  end)

  it("names what is wrong with a list", function()
    assert.equal("", tariffs.problem(one()))
    assert.equal("there are no tariffs", tariffs.problem {})
    assert.equal("tariff 1: wrong name", tariffs.problem(one { name = "1 week" }))
    assert.equal("tariff 1: wrong title", tariffs.problem(one { title = "Неделя" }))
    assert.equal("tariff 1: wrong days", tariffs.problem(one { days = 1.5 }))
    assert.equal("tariff 1: wrong price_kopecks", tariffs.problem(one { price_kopecks = 99 }))
    assert.equal("tariff 1: wrong price_kopecks", tariffs.problem(one { price_kopecks = "14900" }))
    local twice = { one()[1], one()[1] }
    assert.equal("two tariffs are called week", tariffs.problem(twice))
  end)

  it("writes kopecks as the gateway does and reads them back", function()
    for _, kopecks in ipairs { 0, 1, 10, 99, 100, 49900, 129901, 99999999 } do
      assert.equal(kopecks, tariffs.kopecks(tariffs.amount(kopecks)))
    end
  end)

  it("reads no amount from what is none", function()
    for _, wrong in ipairs { "", ".", "1.", ".5", "1.005", "-1.00", "1e3", "1,00", " 1.00", "１.00", true, {}, 1 / 0, -1 } do
      assert.is_nil(tariffs.kopecks(wrong))
    end
  end)
end)

describe("rules.promo", function()
  it("knows what each action gives", function()
    assert.same({ extend_30 = 30, extend_60 = 60, extend_90 = 90, activate_trial = 7 }, rules.promo.days)
  end)

  it("takes codes of 6 to 50 Latin letters and digits", function()
    local is_code = rules.promo.is_code
    assert.is_true(is_code "ABC123")
    assert.is_true(is_code(("A"):rep(50)))
    for _, wrong in ipairs { "ABC12", ("A"):rep(51), "abc123", "ABC-123", "ABC 123", "АВС123", "" } do
      assert.is_false(is_code(wrong))
    end
  end)

  it("is used up, ended or not begun", function()
    local function refusal(changes, now)
      local code = { is_active = true, valid_from = 10, valid_until = 20, uses = 1, max_uses = 2 }
      for key, value in pairs(changes) do code[key] = value end
      return rules.promo.refusal(code, now or 15)
    end
    assert.equal("", refusal {})
    assert.equal("promo_exhausted", refusal { uses = 2 })
    assert.equal("promo_expired", refusal { is_active = false })
    assert.equal("promo_expired", refusal({}, 20.1))
    assert.equal("promo_not_started", refusal({}, 9.9))
  end)

  it("may begin up to five minutes ago, as a form filled in slowly does", function()
    local function problems(from)
      return rules.promo.problems({ action = "extend_30", valid_from = from, valid_until = 5000, max_uses = 1 }, 1000)
    end
    assert.same({}, problems(700))
    assert.same({ valid_from = "in_the_past" }, problems(699.9))
  end)
end)

describe("rules.refunds", function()
  local function take(changes)
    local payment = { amount_kopecks = 49900, days = 30, refunded_kopecks = 49900, taken_days = 0, unused_days = 30 }
    for key, value in pairs(changes) do payment[key] = value end
    return rules.refunds.days_to_take(payment)
  end

  it("takes all days that are left for all the money", function()
    assert.equal(30, take {})
    assert.equal(12, take { unused_days = 12 })
    assert.equal(0, take { unused_days = 0 })
    assert.equal(20, take { taken_days = 10, unused_days = 20 })
  end)

  it("takes never more than was bought, whatever the order of partial refunds", function()
    math.randomseed(11)
    for _ = 1, 500 do
      local amount, days = math.random(100, 500000), math.random(1, 365)
      local refunded, taken = 0, 0
      while refunded < amount do
        refunded = math.min(amount, refunded + math.random(1, amount))
        local more = rules.refunds.days_to_take { amount_kopecks = amount, days = days, refunded_kopecks = refunded,
          taken_days = taken, unused_days = days - taken }
        assert.is_true(more >= 0)
        taken = taken + more
        assert.is_true(taken <= days and taken <= math.ceil(days * refunded / amount))
      end
      assert.equal(days, taken)
    end
  end)
end)

describe("rules.flags", function()
  it("adds drivers and takes none away when a share grows", function()
    for bucket = 0, 99 do
      local before = false
      for percent = 0, 100 do
        local now = rules.flags.is_on({ enabled = true, rollout_percent = percent }, { bucket = bucket })
        assert.is_true(now or not before)
        before = now
      end
      assert.is_true(before)
    end
  end)
end)
