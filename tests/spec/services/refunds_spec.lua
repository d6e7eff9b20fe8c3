-- Giving money back, with the simulated gateway.
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

  it("carries the receipt of the payment, over its own amount", function()
    local receipt = receipts.with_amount(receipts.build({ email = "a@example.org" }, "Подписка", 49900), 10000)
    assert.equal("100.00", receipt.items[1].amount.value)
    local sealed = assert(receipts.seal(receipt, "p-1"))
    assert.same(receipt, (assert(receipts.open(sealed, "p-1"))))
    assert.is_nil((receipts.open(sealed, "p-2")))
  end)
end)
