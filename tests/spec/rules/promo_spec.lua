local world = require "tool.world"

describe("rules.promo", function()
  local promo = world.rule "promo"

  it("knows what each action gives", function()
    assert.same({ extend_30 = 30, extend_60 = 60, extend_90 = 90, activate_trial = 7 }, promo.days)
  end)

  it("takes codes of 6 to 50 Latin letters and digits", function()
    local is_code = promo.is_code
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
      return promo.refusal(code, now or 15)
    end
    assert.equal("", refusal {})
    assert.equal("promo_exhausted", refusal { uses = 2 })
    assert.equal("promo_expired", refusal { is_active = false })
    assert.equal("promo_expired", refusal({}, 20.1))
    assert.equal("promo_not_started", refusal({}, 9.9))
  end)

  it("may begin up to five minutes ago, as a form filled in slowly does", function()
    local function problems(from)
      return promo.problems({ action = "extend_30", valid_from = from, valid_until = 5000, max_uses = 1 }, 1000)
    end
    assert.same({}, problems(700))
    assert.same({ valid_from = "in_the_past" }, problems(699.9))
  end)
end)
