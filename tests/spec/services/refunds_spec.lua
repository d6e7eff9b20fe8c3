-- Giving money back, with the simulated gateway.
local forgetting = require "services.forgetting"
local paying = require "support.paying"
local payments = require "services.payments"
local receipts = require "services.receipts"
local refunds = require "services.refunds"
local settling = require "services.payment_settling"
local tariffs = require "services.tariffs"
local yookassa = require "services.yookassa"

local ADMIN = { type = "admin", id = "olga" }

local function control(name, body)
  local base = host.config.yookassa.api_url:gsub("/v3$", "")
  local answer = assert(host.http.request { method = "POST", url = base .. "/__control/" .. name,
    headers = { ["Content-Type"] = "application/json" }, body = host.json.encode(body) })
  assert(answer.status == 200, answer.body)
end

local function buy(driver, contact)
  local row = assert(payments.open(driver, tariffs.find "1_month", { contact = contact }))
  control("pay", { id = row.gateway_id })
  settling.payment(assert(yookassa.payment(row.gateway_id)), "webhook")
  return row
end

describe("services.refunds", function()
  local driver

  before_each(function() driver = paying.driver() end)

  it("gives money back and takes the days", function()
    local row = buy(driver)
    local refund = assert(refunds.ask(row.id, 49900, ADMIN, "по просьбе водителя"))
    assert.equal("succeeded", refund.status)
    assert.equal("refunded", paying.status(row))
    assert.is_true(paying.subscription(driver).expires_at <= host.time.now() + 1)
  end)

  it("reserves what is asked for, so that two askers cannot give back too much", function()
    local row = buy(driver)
    local tasks = {}
    for index = 1, 4 do tasks[index] = function() return refunds.ask(row.id, 20000, ADMIN) end end
    local given = 0
    for _, result in ipairs(host.task.all(tasks)) do
      if result[1] then given = given + 1 else assert.equal("refund_too_large", result[2].code) end
    end
    assert.equal(2, given)
    local _, problem = refunds.ask(row.id, 9901, ADMIN)
    assert.equal("refund_too_large", problem.code)
  end)

  it("keeps a refund that was not answered, and makes it once", function()
    local row = buy(driver)
    control("misbehave", { match = { method = "POST", path = "/v3/refunds" }, times = 2, action = "close", after = true })
    local given, problem = refunds.ask(row.id, 10000, ADMIN)
    assert.is_nil(given)
    assert.equal("gateway_unavailable", problem.code)
    local kept = host.pg.one("SELECT id, status FROM refunds WHERE payment_id = $1::uuid", row.id)
    assert.equal("pending", kept.status)
    assert.equal("applied", refunds.pursue(kept.id))
    assert.equal("10000", tostring(host.pg.one("SELECT refunded_kopecks FROM payments WHERE id = $1::uuid", row.id).refunded_kopecks))
  end)

  -- A refund that YooKassa did not answer, so long ago.
  local function unanswered(row, after, hours)
    control("misbehave", { match = { method = "POST", path = "/v3/refunds" }, times = 2, action = "close", after = after })
    refunds.ask(row.id, 10000, ADMIN)
    return assert(host.pg.one([[
      UPDATE refunds SET created_at = created_at - $2 * interval '1 hour' WHERE payment_id = $1::uuid RETURNING id]], row.id, hours)).id
  end
  local function status_of(id)
    return host.pg.one("SELECT status FROM refunds WHERE id = $1::uuid", id).status
  end

  it("finds one that YooKassa made without our knowing, when its key is too old to ask again", function()
    local row = buy(driver)
    local id = unanswered(row, true, 23.5)
    assert.equal("applied", refunds.pursue(id))
    assert.equal("succeeded", status_of(id))
    assert.equal("unchanged", refunds.pursue(id))
    assert.equal("partially_refunded", paying.status(row))
  end)

  it("are not over when a later no is to something else, for the first asking may have been taken", function()
    local row = buy(driver)
    local id = unanswered(row, true, 1)
    local refused = { match = { method = "POST", path = "/v3/refunds" }, action = "status", status = 401 }
    control("misbehave", refused)
    control("misbehave", { match = { method = "GET", path = "/v3/refunds" }, action = "status", status = 401 })
    assert.is_nil((refunds.pursue(id)))
    assert.equal("pending", status_of(id))
    control("misbehave", refused)
    assert.equal("applied", refunds.pursue(id))
    assert.equal("succeeded", status_of(id))
    local lost = unanswered(buy(paying.driver()), false, 1)
    control("misbehave", refused)
    assert.equal("refund_refused", select(2, refunds.pursue(lost)).code)
    assert.equal("canceled", status_of(lost))
  end)

  it("gives up after a day what YooKassa never made, and its money can be asked for again", function()
    local row = buy(driver)
    local id = unanswered(row, false, 23.5)
    assert.equal("unchanged", refunds.pursue(id))
    assert.equal("pending", status_of(id))
    host.pg.query("UPDATE refunds SET created_at = created_at - interval '1 hour' WHERE id = $1::uuid", id)
    control("misbehave", { match = { method = "GET", path = "/v3/refunds" }, action = "status", status = 500 })
    assert.is_nil((refunds.pursue(id)))
    assert.equal("pending", status_of(id), "not while nobody knows")
    assert.equal("applied", refunds.pursue(id))
    assert.equal("canceled", status_of(id))
    assert.equal(1, host.pg.one("SELECT count(*)::int AS n FROM audit_log WHERE action = 'refund.failed' AND target_id = $1", row.id).n)
    assert.equal("succeeded", assert(refunds.ask(row.id, 49900, ADMIN)).status)
  end)

  it("frees what the gateway refused", function()
    local row = buy(driver)
    control("misbehave", { match = { method = "POST", path = "/v3/refunds" }, action = "status", status = 400 })
    local _, problem = refunds.ask(row.id, 49900, ADMIN)
    assert.equal("refund_refused", problem.code)
    assert.equal("succeeded", assert(refunds.ask(row.id, 49900, ADMIN)).status)
  end)

  it("refuses what was never paid", function()
    local row = paying.payment(driver)
    local _, problem = refunds.ask(row.id, 100, ADMIN)
    assert.equal("payment_not_refundable", problem.code)
    _, problem = refunds.ask(host.crypto.uuid(), 100, ADMIN)
    assert.equal("payment_not_found", problem.code)
  end)

  it("are asked for again in the same words, also when their driver was forgotten meanwhile", function()
    local row = buy(driver, { email = "a@example.org" })
    control("misbehave", { match = { method = "POST", path = "/v3/refunds" }, times = 2, action = "close", after = true })
    refunds.ask(row.id, 10000, ADMIN)
    assert(forgetting.forget(driver, { type = "command" }))
    local kept = host.pg.one("SELECT id FROM refunds WHERE payment_id = $1::uuid", row.id)
    assert.equal("applied", refunds.pursue(kept.id))
    assert.equal("succeeded", status_of(kept.id))
  end)

  it("writes a phone to the receipt as the gateway wants it", function()
    local numbers = { ["8 (999) 888-77-66"] = "79998887766", ["+7 999 888-77-66"] = "79998887766",
      ["+375 29 123-45-67"] = "375291234567" }
    for typed, written in pairs(numbers) do
      assert.same({ phone = written }, (assert(receipts.contact(driver, { phone = typed }))))
    end
  end)

  it("carries the receipt of the payment, over its own amount", function()
    local receipt = receipts.with_amount(receipts.build({ email = "a@example.org" }, "Подписка", 49900), 10000)
    assert.equal("100.00", receipt.items[1].amount.value)
    local sealed = assert(receipts.seal(receipt, "p-1"))
    assert.same(receipt, (assert(receipts.open(sealed, "p-1"))))
    assert.is_nil((receipts.open(sealed, "p-2")))
  end)
end)
