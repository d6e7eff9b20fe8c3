-- What may be set, against the run's own Postgres.
local flags = require "services.flags"
local settings = require "services.settings"

local ACTOR = { type = "command" }

local function refusal(name, value)
  local _, problem = settings.set(name, value, ACTOR)
  return problem and problem.text
end

describe("services.settings", function()
  it("takes only what it knows, of its kind", function()
    assert.equal("there is no setting yookassa.shop", refusal("yookassa.shop", "1"))
    assert.equal("yookassa.shop_id must be of kind text", refusal("yookassa.shop_id", 100500))
    assert.equal("yookassa.shop_id must be of kind text", refusal("yookassa.shop_id", ""))
  end)

  it("refuses tariffs that cannot be sold from", function()
    assert.equal("there are no tariffs", refusal("tariffs", {}))
    assert.equal("tariff 1: wrong price_kopecks",
      refusal("tariffs", { { name = "day", title = { ru = "День" }, days = 1, price_kopecks = 0 } }))
  end)

  it("refuses receipts without a tax rate", function()
    assert.equal("vat_code must be 1 to 10", refusal("receipts", { tax_system_code = 1 }))
    assert.equal("tax_system_code must be 1 to 6", refusal("receipts", { vat_code = 1, tax_system_code = 7 }))
  end)

  it("masks secrets wherever it shows them", function()
    assert(settings.set("yookassa.secret_key", "live_very_secret", ACTOR))
    for _, rows in ipairs { assert(settings.list()),
      assert(host.pg.query("SELECT details FROM audit_log WHERE action = 'setting.changed'")) } do
      assert.is_true(#rows > 0)
      for _, row in ipairs(rows) do assert.is_nil(host.json.encode(row):find("very_secret", 1, true)) end
    end
    assert(settings.set("yookassa.secret_key", nil, ACTOR))
  end)
end)

describe("services.flags", function()
  it("has the defaults of the rule", function()
    assert.same({ payments = true, promo_codes = true, responses = true }, flags.of("1", false))
    assert.is_true(flags.is_on("payments", "1"))
    assert.is_false(flags.is_on("unheard_of", "1"))
  end)
end)
