--- Giving money back through the gateway. The row comes first and its id is the key, as with payments; what it does to
--- the access is decided where all answers of the gateway are (services/payment_settling.lua).
local host = host
local alerts = require "services.alerts"
local audit = require "services.audit"
local failure = require "kit.failure"
local receipts = require "services.receipts"
local rules = require "kit.rules"
local settling = require "services.payment_settling"
local yookassa = require "services.yookassa"

local refunds = {}

local REFUNDABLE = { succeeded = true, partially_refunded = true }
local FIRST_ASK_S = 60          -- longer than asking takes
local POSTED_FOR_S = 23 * 3600
local LOST_AFTER_S = 86400      -- the gateway forgets the key, so what it has not made by then it never makes
local CLOCKS_DIFFER_S = 3600

-- The row of a new refund, with the money reserved under the payment's lock.
local function insert(tx, payment_id, amount, actor, reason, context)
  local payment, problem = tx:one([[
    SELECT id, status, amount_kopecks FROM payments WHERE id = $1::uuid FOR UPDATE]], payment_id)
  if not payment then return nil, problem or failure "payment_not_found" end
  if not REFUNDABLE[payment.status] then return nil, failure "payment_not_refundable" end
  local given
  given, problem = tx:one([[
    SELECT coalesce(sum(amount_kopecks), 0)::bigint AS kopecks FROM refunds
    WHERE payment_id = $1::uuid AND status <> 'canceled']], payment_id)
  if not given then return nil, problem end
  local rest = payment.amount_kopecks - given.kopecks
  if amount < 1 or amount > rest then return nil, failure "refund_too_large" end
  local row
  row, problem = tx:one([[
    INSERT INTO refunds (id, payment_id, amount_kopecks, reason, requested_by) VALUES ($1::uuid, $2::uuid, $3, $4, $5)
    RETURNING id]], host.crypto.uuid(), payment_id, amount, reason or "", actor.id)
  if not row then return nil, problem end
  local ok
  ok, problem = audit.write_in(tx, { action = "refund.requested", actor_type = actor.type, actor_id = actor.id,
    target_type = "payment", target_id = payment_id,
    details = { refund_id = row.id, amount_kopecks = amount, reason = reason, before = { rest_kopecks = rest },
      after = { rest_kopecks = rest - amount } } }, context)
  if not ok then return nil, problem end
  return row.id
end

local function find(id)
  return host.pg.one([[
    SELECT refunds.id, refunds.amount_kopecks, refunds.status, refunds.reason, refunds.gateway_id,
      payments.id AS payment_id, payments.gateway_id AS payment_gateway_id, payments.currency, payments.receipt_sealed,
      refunds.created_at, extract(epoch FROM now() - refunds.created_at)::float8 AS age_s
    FROM refunds JOIN payments ON payments.id = refunds.payment_id WHERE refunds.id = $1::uuid]], id)
end

local function request_body(row)
  local receipt, problem
  if row.receipt_sealed then
    receipt, problem = receipts.open(row.receipt_sealed, row.payment_id)
    if not receipt then return nil, problem end
    receipt = receipts.with_amount(receipt, row.amount_kopecks)
  end
  return {
    payment_id = row.payment_gateway_id, receipt = receipt,
    amount = { value = rules.tariffs.amount(row.amount_kopecks), currency = row.currency },
    description = row.reason ~= "" and row.reason or nil,
  }
end

-- Its money is free again.
local function cancel(row, entry)
  entry.target_type, entry.target_id = "payment", row.payment_id
  entry.details.refund_id, entry.details.amount_kopecks = row.id, row.amount_kopecks
  return host.pg.transaction(function(tx)
    local done, why = tx:query("UPDATE refunds SET status = 'canceled' WHERE id = $1::uuid AND status = 'pending'", row.id)
    if not done then return nil, why end
    return audit.write_in(tx, entry)
  end)
end

-- Did the gateway make it without our knowing? Its own list tells. The outcome of the answer, "unknown" when it is not there.
local function search(row)
  local outcome
  local ok, problem = yookassa.each_refund(row.created_at - CLOCKS_DIFFER_S, function(object)
    if object.payment_id ~= row.payment_gateway_id then return false end
    outcome = settling.refund(object, "reconcile", row.id)
    return outcome == "applied"
  end)
  if not ok then return nil, problem end
  if outcome == "applied" then return outcome end
  row, problem = find(row.id)
  if not row then return nil, problem end
  return (row.gateway_id or row.status ~= "pending") and "unchanged" or "unknown"
end

local function post(row)
  local body, problem = request_body(row)
  local object
  if body then object, problem = yookassa.create_refund(body, row.id) end
  if object then return settling.refund(object, "created", row.id) end
  if problem.code ~= "gateway_refused" or problem.unknown then return nil, problem end
  if row.age_s > FIRST_ASK_S then -- what was asked before may have been taken, and this no is to something else: a key, a shop
    local outcome, why = search(row)
    if outcome ~= "unknown" then return outcome, why end
  end
  cancel(row, { action = "refund.refused", details = { answered = problem.answered } })
  return nil, failure("refund_refused", { text = tostring(problem) })
end

-- Its key may be forgotten, so asking once more could give the money back twice.
local function look_for(row)
  local outcome, problem = search(row)
  if outcome ~= "unknown" then return outcome, problem end
  if row.age_s <= LOST_AFTER_S then return "unchanged" end
  alerts.raise("refund_lost", "YooKassa never made a refund we asked for: ask for it again on the page of the payment",
    { payment_id = row.payment_id })
  local ok
  ok, problem = cancel(row, { action = "refund.failed", details = { reason = "never made at the gateway" } })
  if not ok then return nil, problem end
  return "applied"
end

--- Ask for the state of a pending refund, or ask for the refund again while its key holds. Later it is searched for, and after a
--- day without it given up.
--- @return string? outcome
--- @return table? failure
function refunds.pursue(id)
  local row, problem = find(id)
  if not row then return nil, problem end
  if row.status ~= "pending" then return "unchanged" end
  if row.gateway_id then
    local object
    object, problem = yookassa.refund(row.gateway_id)
    if not object then return nil, problem end
    return settling.refund(object, "reconcile", row.id)
  end
  if row.age_s > POSTED_FOR_S then return look_for(row) end
  return post(row)
end

--- Give money of a payment back. When the gateway does not answer, the reconciler goes on.
--- @param amount integer  kopecks
--- @param actor {type: "admin", id: string}
--- @return {refund_id: string, status: string}?
--- @return table? failure  payment_not_found, payment_not_refundable, refund_too_large, refund_refused, gateway_unavailable
function refunds.ask(payment_id, amount, actor, reason, context)
  local id, problem = host.pg.transaction(function(tx)
    return insert(tx, payment_id, amount, actor, reason, context)
  end)
  if not id then
    audit.write_later({ action = "refund.denied", actor_type = actor.type, actor_id = actor.id, target_type = "payment",
      target_id = payment_id, details = { reason = problem.code, amount_kopecks = amount } }, context)
    return nil, problem
  end
  local outcome
  outcome, problem = host.task.single_flight("refund " .. id, function() return refunds.pursue(id) end)
  if not outcome then return nil, problem end
  local row
  row, problem = find(id)
  if not row then return nil, problem end
  return { refund_id = id, status = row.status }
end

return refunds
