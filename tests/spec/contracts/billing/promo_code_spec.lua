-- Making and using promo codes through their contracts.
local apply_promo_code = require "contracts.billing.apply_promo_code"
local create_promo_code = require "contracts.billing.create_promo_code"
local paying = require "support.paying"

local HOUR_S = 3600

local function iso(offset_s)
  return host.time.iso8601(host.time.now() + offset_s)
end

local function create(changes)
  local values = { action = "extend_30", valid_until = iso(HOUR_S), max_uses = 10 }
  for key, value in pairs(changes or {}) do values[key] = value end
  return create_promo_code(values, {})
end

local function fields(changes)
  local made, problem = create(changes)
  assert.is_nil(made)
  local found = {}
  for _, field in ipairs(problem.fields) do found[field.field] = field.code end
  return found
end

describe("5.4 billing.create_promo_code", function()
  it("makes a code of 12 random characters, from now on", function()
    local made = assert(create())
    assert.matches("^[A-Z0-9]+$", made.code)
    assert.equal(12, #made.code)
    assert.same({ 30, 0, 10 }, { made.days, made.uses, made.max_uses })
    assert.not_equal(made.code, assert(create()).code)
  end)

  it("takes a given code in any case, once", function()
    local code = "Spec" .. host.crypto.hex(host.crypto.random(4))
    assert.equal(code:upper(), assert(create { code = code }).code)
    local _, problem = create { code = code:upper() }
    assert.equal("promo_exists", problem.code)
    assert.equal(409, problem.status)
  end)

  it("names every wrong field at once", function()
    assert.same({ code = "promo_code", valid_from = "in_the_past", valid_until = "not_after_start" },
      fields { code = "КОД-1", valid_from = iso(-HOUR_S), valid_until = iso(-2 * HOUR_S) })
    assert.same({ valid_until = "date_time" }, fields { valid_until = "tomorrow" })
    assert.same({ max_uses = "min" }, fields { max_uses = 0 })
    assert.same({ action = "one_of" }, fields { action = "extend_365" })
  end)

  it("forgives a form filled in slowly", function()
    assert(create { valid_from = iso(-240) })
    assert.same({ valid_from = "in_the_past" }, fields { valid_from = iso(-360) })
  end)
end)

describe("5.4 billing.apply_promo_code", function()
  it("adds the days to what the driver has", function()
    local context = { driver_id = paying.driver() }
    assert(apply_promo_code({ code = assert(create()).code }, context))
    local second = assert(apply_promo_code({ code = assert(create { action = "extend_60" }).code:lower() }, context))
    assert.equal(60, second.days_added)
    local left_s = assert(host.time.parse_iso8601(second.expires_at)) - host.time.now()
    assert.equal(90, math.ceil(left_s / 86400))
  end)

  it("gives a trial only to who never had access", function()
    local context = { driver_id = paying.driver() }
    assert.equal(7, assert(apply_promo_code({ code = assert(create { action = "activate_trial" }).code }, context)).days_added)
    local _, problem = apply_promo_code({ code = assert(create { action = "activate_trial" }).code }, context)
    assert.equal("trial_not_available", problem.code)
  end)
end)
