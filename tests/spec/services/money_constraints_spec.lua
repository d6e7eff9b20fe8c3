-- What must never be in the tables of money, whoever writes: the database itself refuses.
local paying = require "support.paying"

local function refused(code, sql, ...)
  local ok, problem = host.pg.query(sql, ...)
  assert.is_nil(ok, sql)
  assert.equal("sqlstate_" .. code, problem.code, sql)
end

describe("the tables of money", function()
  local driver

  before_each(function() driver = paying.driver() end)

  it("know no payment as paid that the gateway does not know", function()
    local row = paying.payment(driver, { gateway_id = false })
    for _, status in ipairs { "succeeded", "refunded", "partially_refunded" } do
      refused("23514", [[
        INSERT INTO payments (id, driver_id, tariff, days, amount_kopecks, status, refunded_kopecks, return_url)
        VALUES (gen_random_uuid(), $1::bigint, 't', 30, 100, $2,
          CASE $2 WHEN 'refunded' THEN 100 WHEN 'succeeded' THEN 0 ELSE 50 END, 'x')]], driver, status)
    end
    refused("23514", "UPDATE payments SET status = 'succeeded', paid_at = now() WHERE id = $1::uuid", row.id)
    refused("23514", "UPDATE payments SET status = 'succeeded', gateway_id = $1::text WHERE id = $1::uuid", row.id)
  end)

  it("know no refund as done that the gateway does not know", function()
    local row = paying.payment(driver)
    refused("23514", [[
      INSERT INTO refunds (id, payment_id, amount_kopecks, status) VALUES (gen_random_uuid(), $1::uuid, 1, 'succeeded')]], row.id)
  end)

  it("count the uses of a promo code by its uses alone, and never change what it gives", function()
    local code = "GUARD" .. host.crypto.hex(host.crypto.random(6)):upper()
    local promo = assert(host.pg.one([[
      INSERT INTO promo_codes (code, action, days, valid_from, valid_until, max_uses)
      VALUES ($1, 'extend_30', 30, now(), now() + interval '1 day', 1) RETURNING id]], code))
    assert(host.pg.query("INSERT INTO promo_uses (promo_code_id, driver_id, days_added) VALUES ($1, $2::bigint, 30)", promo.id, driver))
    refused("23514", "INSERT INTO promo_uses (promo_code_id, driver_id, days_added) VALUES ($1, $2::bigint, 30)", promo.id, paying.driver())
    for _, change in ipairs { "uses = 0", "uses = uses + 1, max_uses = 9", "action = 'extend_90', days = 90", "code = code || 'X'" } do
      refused("23001", "UPDATE promo_codes SET " .. change .. " WHERE id = $1", promo.id)
    end
    assert(host.pg.query("UPDATE promo_codes SET max_uses = 2, deactivated_at = now() WHERE id = $1", promo.id))
  end)

  it("are not thrown away as a whole", function()
    for _, name in ipairs { "promo_uses", "refunds", "payment_history", "subscription_grants" } do
      refused("23001", "TRUNCATE " .. name)
    end
    refused("23001", "TRUNCATE payments CASCADE")
  end)
end)
