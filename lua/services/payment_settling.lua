--- What the gateway says of a payment or a refund becomes ours here, and nowhere else: for notifications, the
--- reconciler and the answer to creating. In one transaction: the row, its history, the grant, the trail. The payment's
--- row is locked first, so any number of callers in any order comes to one result.
---
--- Outcomes: "applied" our row moved on, "unchanged" nothing new, "mismatch" it is not what we agreed on (audited,
--- alerted, nothing changes), "unknown" no row of ours.
local host = host
local access_tokens = require "services.access_tokens"
local alerts = require "services.alerts"
local audit = require "services.audit"
local events = require "services.events"
local outbox = require "services.outbox"
local rules = require "kit.rules"
local subscriptions = require "services.subscriptions"
local yookassa = require "services.yookassa"

local settling = {}

local DAY_S = 86400
local UUID = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"

-- The same moves that the database allows (migration 0008).
local MOVES = {
  pending = { waiting_for_capture = true, succeeded = true, canceled = true },
  waiting_for_capture = { succeeded = true, canceled = true },
  failed = { waiting_for_capture = true, succeeded = true, canceled = true },
}

local COLUMNS = [[id, driver_id::text, tariff, days, amount_kopecks, currency, status, gateway_id, confirmation_url,
  refunded_kopecks, created_at]]

local function part(object, name)
  local value = type(object) == "table" and object[name] or nil
  return type(value) == "table" and value or {}
end

-- ---- finding ours ----

local function by_metadata(tx, object)
  local id = part(object, "metadata").payment_id
  if type(id) ~= "string" or not id:find(UUID) then return nil end
  return tx:one("SELECT " .. COLUMNS .. " FROM payments WHERE id = $1::uuid FOR UPDATE", id)
end

-- The row this object is about. One whose creation was never answered has no gateway id yet: the metadata names it.
local function find(tx, object)
  local row, problem = tx:one("SELECT " .. COLUMNS .. " FROM payments WHERE gateway_id = $1 FOR UPDATE", object.id)
  if row or problem then return row, problem end
  return by_metadata(tx, object)
end

local function disagreement(row, object)
  local amount, metadata = part(object, "amount"), part(object, "metadata")
  local recipient = part(object, "recipient").account_id
  if type(object.id) ~= "string" or row.gateway_id and row.gateway_id ~= object.id then return "gateway_id" end
  if rules.tariffs.kopecks(amount.value) ~= row.amount_kopecks then return "amount" end
  if amount.currency ~= row.currency then return "currency" end
  if metadata.payment_id ~= row.id or metadata.driver_id ~= row.driver_id or metadata.tariff ~= row.tariff then
    return "metadata"
  end
  if type(recipient) == "string" and recipient ~= yookassa.shop_id() then return "shop" end
  if object.status == "succeeded" and object.paid ~= true then return "paid" end
end

-- ---- writing ----

local function write_history(tx, row, event, new_status, details)
  return tx:query([[
    INSERT INTO payment_history (payment_id, event, old_status, new_status, details) VALUES ($1::uuid, $2, $3, $4, $5)]],
    row.id, event, row.status, new_status, host.pg.json(details or {}))
end

local function write_trail(tx, row, action, details)
  return audit.write_in(tx, { action = action, actor_type = "gateway", target_type = "payment", target_id = row.id,
    details = details })
end

-- Run the steps of a transaction one after the other; nil and the failure of the first that fails.
local function all_of(steps)
  for _, step in ipairs(steps) do
    local ok, problem = step()
    if not ok then return nil, problem end
  end
  return true
end

local function note_mismatch(tx, row, object, reason)
  host.metrics.count("payment_mismatches_total", { reason = reason })
  alerts.raise("webhook_mismatch", "the gateway's payment is not what we agreed on: look at both, nothing was changed",
    { payment_id = row.id, reason = reason })
  local amount = part(object, "amount")
  local ok, problem = write_trail(tx, row, "payment.webhook_mismatch", { reason = reason, status = object.status,
    gateway_id = object.id, amount = tostring(amount.value), currency = tostring(amount.currency) })
  if not ok then return nil, problem end
  return "mismatch"
end

-- The page to pay at, when there is one that a browser may be sent to.
local function page_of(object)
  local url = part(object, "confirmation").confirmation_url
  return type(url) == "string" and url:find "^https?://" and url or nil
end

local function adopt(tx, row, object, cause)
  local url = page_of(object)
  if row.gateway_id and (row.confirmation_url or not url) then return true end
  row.confirmation_url = url
  local details = { gateway_id = object.id }
  return all_of {
    function()
      return tx:query([[
        UPDATE payments SET gateway_id = $2, confirmation_url = coalesce(confirmation_url, $3), posting_until = NULL
        WHERE id = $1::uuid]], row.id, object.id, row.confirmation_url)
    end,
    function() return row.gateway_id ~= nil or write_history(tx, row, "gateway_created", row.status, details) end,
    function()
      row.was_lost, row.gateway_id = row.gateway_id == nil and cause ~= "created", object.id
      return true
    end,
  }
end

local function give_access(tx, row)
  local given, problem = subscriptions.grant(tx, { driver_id = row.driver_id, source = "payment", source_id = row.id,
    days = row.days })
  if given == nil then return nil, problem end
  if not given then return true end
  return all_of {
    function()
      row.expires_at = given.expires_after
      return access_tokens.ensure(tx, row.driver_id)
    end,
    function()
      return audit.write_in(tx, { action = given.expires_before and "subscription.extended" or "subscription.created",
        target_type = "driver", target_id = row.driver_id, details = { days = row.days, payment_id = row.id,
          expires_at = host.time.iso8601(given.expires_after) } })
    end,
  }
end

-- A driver whose payment page is long closed hears of it from the bot.
local function tell_driver(tx, row)
  local driver, problem = tx:one([[
    SELECT language_code FROM drivers WHERE id = $1::bigint AND unreachable_at IS NULL]], row.driver_id)
  if problem then return nil, problem end
  if not driver or not row.expires_at then return true end
  local day = host.time.parts(row.expires_at, host.config.timezone)
  local text = rules.texts.bot("payment_paid", rules.texts.language_of(driver.language_code),
    { date = ("%02d.%02d.%d"):format(day.day, day.month, day.year) })
  return outbox.add(tx, { kind = "payment_notice", chat_key = row.driver_id, payload = { text = text } })
end

local LATE = { reconcile = true, compare = true }

local function move(tx, row, object, cause)
  local status = object.status
  local reason = part(object, "cancellation_details").reason
  local paid_at = type(object.captured_at) == "string" and host.time.parse_iso8601(object.captured_at) or host.time.now()
  local ok, problem = all_of {
    function()
      return tx:query([[
        UPDATE payments SET status = $2, cancellation_reason = $3, posting_until = NULL,
          paid_at = CASE WHEN $2 = 'succeeded' THEN to_timestamp($4) ELSE paid_at END WHERE id = $1::uuid]],
        row.id, status, type(reason) == "string" and reason or nil, paid_at)
    end,
    function() return write_history(tx, row, cause, status, { reason = reason }) end,
    function() return write_trail(tx, row, "payment." .. status, { from = row.status, cause = cause, reason = reason }) end,
    function() return status ~= "succeeded" or give_access(tx, row) end,
    function() return status ~= "succeeded" or not (LATE[cause] or row.was_lost) or tell_driver(tx, row) end,
  }
  if not ok then return nil, problem end
  return "applied"
end

local function settle(tx, object, cause)
  local row, problem = find(tx, object)
  if problem then return nil, problem end
  if not row then return "unknown" end
  local reason = disagreement(row, object)
  if reason then return note_mismatch(tx, row, object, reason), nil, row end
  local ok
  ok, problem = adopt(tx, row, object, cause)
  if not ok then return nil, problem end
  local legal = MOVES[row.status]
  if not legal or not legal[object.status] then return "unchanged", nil, row end
  local outcome
  outcome, problem = move(tx, row, object, cause)
  return outcome, problem, row
end

-- After the commit.
local function announce(row, status)
  host.metrics.count("payments_total", { status = status })
  subscriptions.forget(row.driver_id)
  if status ~= "succeeded" then return end
  events.emit("payment.succeeded",
    { payment_id = row.id, driver_id = row.driver_id, amount = rules.tariffs.amount(row.amount_kopecks) })
  if row.expires_at then subscriptions.announce(row.driver_id, row.expires_at) end
end

--- Make what the gateway says of a payment ours.
--- @param object table   as GET /payments/{id} or the answer to creating gave it, never a notification's
--- @param cause string   "created", "webhook", "reconcile", "compare"
--- @return string? outcome
--- @return table? failure  of the database
--- @return table? row      as it was before
function settling.payment(object, cause)
  local row
  local outcome, problem = host.pg.transaction(function(tx)
    local result, why
    result, why, row = settle(tx, object, cause)
    if not result then return nil, why end
    return result
  end)
  if outcome == "applied" then announce(row, object.status) end
  return outcome, problem, row
end

-- ---- refunds ----

-- Our row of this refund: known by its id, asked for by us and not answered, or made elsewhere and new to us.
local function find_refund(tx, object, payment, amount, own_id)
  local row, problem = tx:one([[
    SELECT id, amount_kopecks, status, gateway_id FROM refunds
    WHERE gateway_id = $1 OR payment_id = $2::uuid AND gateway_id IS NULL AND status = 'pending'
      AND amount_kopecks = $3 AND ($4::uuid IS NULL OR id = $4::uuid)
    ORDER BY gateway_id IS NULL, created_at LIMIT 1 FOR UPDATE]], object.id, payment.id, amount, own_id)
  if row or problem then return row, problem end
  return tx:one([[
    INSERT INTO refunds (id, payment_id, amount_kopecks) VALUES ($1::uuid, $2::uuid, $3)
    RETURNING id, amount_kopecks, status, gateway_id]], host.crypto.uuid(), payment.id, amount)
end

--- How many days a refund takes: of the paid period those that are not used yet count, without those that earlier refunds took. A
--- revocation since then took all of them.
--- @param one fun(sql: string, ...): table?, table?  of a transaction, or host.pg.one
--- @param payment {id: string, amount_kopecks: integer, days: integer}
--- @param refunded integer  kopecks, with this refund
--- @return integer? days
--- @return table? failure  of the database
function settling.days_to_take(one, payment, refunded)
  local facts, problem = one([[
    SELECT coalesce(-sum(taken.days), 0)::int AS taken_days,
      coalesce(max(CASE WHEN EXISTS (SELECT FROM subscription_grants AS ended WHERE ended.driver_id = bought.driver_id
                                       AND ended.source = 'revoke' AND ended.id > bought.id) THEN 0
                        ELSE ceil(extract(epoch FROM bought.expires_after - now()) / $2) END), 0)::int AS left_days
    FROM subscription_grants AS bought
    LEFT JOIN subscription_grants AS taken ON taken.source = 'refund'
      AND taken.source_id = ANY (ARRAY(SELECT id::text FROM refunds WHERE payment_id = $1::uuid))
    WHERE bought.source = 'payment' AND bought.source_id = $1::text]], payment.id, DAY_S)
  if not facts then return nil, problem end
  return rules.refunds.days_to_take {
    amount_kopecks = payment.amount_kopecks, days = payment.days, refunded_kopecks = refunded,
    taken_days = facts.taken_days,
    unused_days = math.max(0, math.min(payment.days, facts.left_days) - facts.taken_days),
  }
end

local function take_days(tx, payment, refund, refunded)
  local days, problem = settling.days_to_take(function(...) return tx:one(...) end, payment, refunded)
  if not days then return nil, problem end
  if days == 0 then return 0 end
  local given
  given, problem = subscriptions.grant(tx, { driver_id = payment.driver_id, source = "refund", source_id = refund.id,
    days = -days })
  if given == nil then return nil, problem end
  return days
end

local function finish_refund(tx, payment, refund, cause)
  local refunded = payment.refunded_kopecks + refund.amount_kopecks
  local status = refunded == payment.amount_kopecks and "refunded" or "partially_refunded"
  local days, problem = take_days(tx, payment, refund, refunded)
  if not days then return nil, problem end
  local details = { refund_id = refund.id, amount_kopecks = refund.amount_kopecks, days_taken = days,
    before = { status = payment.status, refunded_kopecks = payment.refunded_kopecks },
    after = { status = status, refunded_kopecks = refunded } }
  local ok
  ok, problem = all_of {
    function() return tx:query("UPDATE refunds SET status = 'succeeded' WHERE id = $1::uuid", refund.id) end,
    function()
      return tx:query("UPDATE payments SET status = $2, refunded_kopecks = $3 WHERE id = $1::uuid",
        payment.id, status, refunded)
    end,
    function() return write_history(tx, payment, cause, status, details) end,
    function() return write_trail(tx, payment, "payment." .. status, details) end,
  }
  if not ok then return nil, problem end
  return "applied"
end

local function cancel_refund(tx, payment, refund, object)
  local details = { refund_id = refund.id, reason = part(object, "cancellation_details").reason }
  local ok, problem = all_of {
    function() return tx:query("UPDATE refunds SET status = 'canceled' WHERE id = $1::uuid", refund.id) end,
    function() return write_trail(tx, payment, "refund.canceled", details) end,
  }
  if not ok then return nil, problem end
  return "applied"
end

-- With the payment locked and its refund found.
local function settle_found(tx, payment, refund, object, cause)
  if refund.status ~= "pending" then return "unchanged" end
  local ok, problem = tx:query("UPDATE refunds SET gateway_id = $2 WHERE id = $1::uuid", refund.id, object.id)
  if not ok then return nil, problem end
  if object.status == "canceled" then return cancel_refund(tx, payment, refund, object) end
  if object.status ~= "succeeded" then return "unchanged" end
  if payment.refunded_kopecks + refund.amount_kopecks > payment.amount_kopecks then
    return note_mismatch(tx, payment, object, "refund_too_large")
  end
  return finish_refund(tx, payment, refund, cause)
end

local function settle_refund(tx, object, cause, own_id)
  local payment, problem = tx:one(
    "SELECT " .. COLUMNS .. " FROM payments WHERE gateway_id = $1 FOR UPDATE", object.payment_id)
  if not payment then return problem == nil and "unknown" or nil, problem end
  if MOVES[payment.status] or payment.status == "canceled" then return "early", nil, payment end
  local amount = rules.tariffs.kopecks(part(object, "amount").value)
  if not amount or amount == 0 or part(object, "amount").currency ~= payment.currency then
    return note_mismatch(tx, payment, object, "refund_amount"), nil, payment
  end
  local refund
  refund, problem = find_refund(tx, object, payment, amount, own_id)
  if not refund then return nil, problem end
  if refund.amount_kopecks ~= amount then
    return note_mismatch(tx, payment, object, "refund_amount"), nil, payment
  end
  local outcome
  outcome, problem = settle_found(tx, payment, refund, object, cause)
  return outcome, problem, payment
end

--- Make what the gateway says of a refund ours. "early": the payment itself is not known to be paid yet.
--- @param object table    as GET /refunds/{id} or the answer to asking for it gave it
--- @param cause string
--- @param own_id? string  the row this refund was asked for by
--- @return string? outcome
--- @return table? failure
function settling.refund(object, cause, own_id)
  local payment
  local outcome, problem = host.pg.transaction(function(tx)
    local result, why
    result, why, payment = settle_refund(tx, object, cause, own_id)
    if not result then return nil, why end
    return result
  end)
  if outcome == "applied" then
    host.metrics.count("refunds_total", { status = object.status })
    subscriptions.forget(payment.driver_id)
    if object.status == "succeeded" then
      events.emit("payment.refunded", { payment_id = payment.id, driver_id = payment.driver_id,
        amount = rules.tariffs.amount(rules.tariffs.kopecks(object.amount.value)) })
    end
  end
  return outcome, problem
end

return settling
