-- What the gateway says becomes ours once, in any order, however often and however many at a time.
local paying = require "support.paying"
local settling = require "services.payment_settling"
local subscriptions = require "services.subscriptions"

local function shuffle(list)
  for i = #list, 2, -1 do
    local j = math.random(i)
    list[i], list[j] = list[j], list[i]
  end
  return list
end

local function audited(row)
  return assert(host.pg.one("SELECT count(*)::int AS count FROM audit_log WHERE target_id = $1 AND action LIKE '%mismatch%'",
    row.id)).count
end

describe("services.payment_settling", function()
  local driver, row

  before_each(function()
    driver = paying.driver()
    row = paying.payment(driver)
  end)

  it("gives access for a paid payment, once", function()
    assert.equal("applied", settling.payment(paying.object(row, "succeeded"), "webhook"))
    assert.equal("unchanged", settling.payment(paying.object(row, "succeeded"), "reconcile"))
    assert.equal("succeeded", paying.status(row))
    assert.equal(1, #paying.grants(driver))
  end)

  it("never goes back", function()
    settling.payment(paying.object(row, "succeeded"), "webhook")
    for _, status in ipairs { "pending", "waiting_for_capture", "canceled", "strange" } do
      assert.equal("unchanged", settling.payment(paying.object(row, status), "webhook"))
    end
    assert.equal("succeeded", paying.status(row))
    local _, problem = host.pg.query("UPDATE payments SET status = 'pending' WHERE id = $1::uuid", row.id)
    assert.matches("cannot go from succeeded to pending", tostring(problem))
  end)

  it("changes nothing when anything differs from what was agreed", function()
    local differences = {
      { amount = { value = "498.00", currency = "RUB" } }, { amount = { value = "499.00", currency = "USD" } },
      { amount = host.json.null }, { metadata = {} }, { paid = false }, { recipient = { account_id = "999" } },
      { metadata = { payment_id = row.id, driver_id = "1", tariff = row.tariff } },
      { metadata = { payment_id = row.id, driver_id = driver, tariff = "12_months" } },
    }
    for index, changes in ipairs(differences) do
      assert.equal("mismatch", (settling.payment(paying.object(row, "succeeded", changes), "webhook")))
      assert.equal(index, audited(row))
    end
    assert.equal("pending", paying.status(row))
    assert.equal(0, #paying.grants(driver))
  end)

  it("sends a browser only to web pages", function()
    local object = paying.object(row, "pending", { confirmation = { confirmation_url = "javascript:alert(1)" } })
    assert.equal("unchanged", (settling.payment(object, "created")))
    assert.is_nil(host.pg.one("SELECT confirmation_url FROM payments WHERE id = $1::uuid", row.id).confirmation_url)
  end)

  it("does not take a second payment at the gateway for the first", function()
    assert.equal("mismatch", (settling.payment(paying.object(row, "succeeded", { id = "another" }), "webhook")))
    assert.equal("pending", paying.status(row))
  end)

  it("adopts the payment whose creation was never answered", function()
    local lost = paying.payment(driver, { gateway_id = false })
    local object = paying.object(lost, "succeeded", { id = host.crypto.uuid() })
    assert.equal("applied", settling.payment(object, "reconcile"))
    assert.equal(object.id, host.pg.one("SELECT gateway_id FROM payments WHERE id = $1::uuid", lost.id).gateway_id)
  end)

  it("knows nothing of payments that are not ours", function()
    assert.equal("unknown", settling.payment(paying.object({ gateway_id = "x", id = host.crypto.uuid(), driver_id = driver,
      tariff = "1_month", amount_kopecks = 100 }, "succeeded"), "webhook"))
    assert.equal("unknown", settling.payment({ id = "x", status = "succeeded", metadata = { payment_id = "no uuid" } }, "webhook"))
  end)

  it("counts a payment once for any telling of it: order, repetition, all at once", function()
    math.randomseed(3)
    for _ = 1, 15 do
      local paid = paying.payment(driver)
      local told = { "succeeded", "succeeded" }
      for _ = 1, math.random(0, 8) do
        local statuses = { "pending", "waiting_for_capture", "succeeded" }
        told[#told + 1] = statuses[math.random(#statuses)]
      end
      local tasks = {}
      for index, status in ipairs(shuffle(told)) do
        tasks[index] = function() return settling.payment(paying.object(paid, status), "webhook") end
      end
      host.task.all(tasks)
      assert.equal("succeeded", paying.status(paid))
    end
    assert.equal(15, #paying.grants(driver))
    local left_s = paying.subscription(driver).expires_at - host.time.now()
    assert.equal(15 * 30, math.ceil(left_s / 86400))
  end)

  describe("refunds", function()
    local function refund(id, kopecks, changes)
      local object = { id = id, payment_id = row.gateway_id, status = "succeeded",
        amount = { value = ("%.2f"):format(kopecks / 100), currency = "RUB" } }
      for key, value in pairs(changes or {}) do object[key] = value end
      return object
    end

    it("wait for the payment they are of", function()
      assert.equal("early", settling.refund(refund(host.crypto.uuid(), 100), "webhook"))
      assert.equal("unknown", settling.refund(refund("r", 100, { payment_id = "nobody's" }), "webhook"))
    end)

    it("count once however often they are told", function()
      settling.payment(paying.object(row, "succeeded"), "webhook")
      local object, tasks = refund(host.crypto.uuid(), 10000), {}
      for index = 1, 6 do tasks[index] = function() return settling.refund(object, "webhook") end end
      host.task.all(tasks)
      assert.equal("partially_refunded", paying.status(row))
      assert.same({ 30, -6 }, { paying.grants(driver)[1].days, paying.grants(driver)[2].days })
      assert.is_nil(paying.grants(driver)[3])
    end)

    it("take the days that were told before", function()
      settling.payment(paying.object(row, "succeeded"), "webhook")
      local payment = { id = row.id, amount_kopecks = row.amount_kopecks, days = row.days }
      assert.equal(6, settling.days_to_take(host.pg.one, payment, 10000))
      settling.refund(refund(host.crypto.uuid(), 10000), "webhook")
      assert.equal(-6, paying.grants(driver)[2].days)
      assert.equal(6, settling.days_to_take(host.pg.one, payment, 20000))
    end)

    it("take nothing of a period that was revoked: what was bought later is another's money", function()
      settling.payment(paying.object(row, "succeeded"), "webhook")
      local granted = host.pg.transaction(function(tx)
        return subscriptions.grant(tx, { driver_id = driver, source = "revoke", source_id = host.crypto.uuid(), days = 0 })
      end)
      assert.equal(-30, granted.days)
      local later = paying.payment(driver)
      settling.payment(paying.object(later, "succeeded"), "webhook")
      local expires_at = paying.subscription(driver).expires_at
      assert.equal(0, settling.days_to_take(host.pg.one, { id = row.id, amount_kopecks = 49900, days = 30 }, 49900))
      assert.equal("applied", settling.refund(refund(host.crypto.uuid(), 49900), "webhook"))
      assert.equal("refunded", paying.status(row))
      assert.equal(expires_at, paying.subscription(driver).expires_at)
      assert.equal(30, settling.days_to_take(host.pg.one, { id = later.id, amount_kopecks = 49900, days = 30 }, 49900))
    end)

    it("add up to the amount and no further", function()
      settling.payment(paying.object(row, "succeeded"), "webhook")
      local tasks = {}
      for index = 1, 5 do
        local object = refund(host.crypto.uuid(), 20000)
        tasks[index] = function() return settling.refund(object, "webhook") end
      end
      local outcomes = {}
      for _, result in ipairs(host.task.all(tasks)) do outcomes[result[1]] = (outcomes[result[1]] or 0) + 1 end
      assert.same({ applied = 2, mismatch = 3 }, outcomes)
      assert.equal("partially_refunded", paying.status(row))
      assert.equal("applied", settling.refund(refund(host.crypto.uuid(), 9900), "webhook"))
      assert.equal("refunded", paying.status(row))
      assert.is_true(paying.subscription(driver).expires_at <= host.time.now() + 1)
    end)
  end)
end)
