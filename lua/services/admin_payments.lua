--- Payments as the panel shows them, and what people do to one: ask the gateway again, give money back.
local admin_drivers = require "services.admin_drivers"
local admin_list = require "services.admin_list"
local admin_trail = require "services.admin_trail"
local failure = require "kit.failure"
local host = host
local reconciler = require "services.payment_reconciler"
local refunds = require "services.refunds"
local settling = require "services.payment_settling"
local tariffs = require "services.tariffs"

local admin_payments = {}

local DAY_S = 86400
local SUMMED_ROWS = 10000

local LIST = {
  columns = [[p.id, p.created_at, p.driver_id::text, d.first_name, d.last_name, d.username, p.tariff, p.amount_kopecks,
    p.refunded_kopecks, p.status, p.gateway_id, p.paid_at]],
  from = "payments p JOIN drivers d ON d.id = p.driver_id", count_from = "payments p",
  key = { "p.id", "uuid" },
  sorts = { created = { "p.created_at", "timestamptz" } }, sort = "created", descending = true,
}

local UUID = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"

local function filter_of(asked)
  local filter = admin_list.filter()
    :add("p.status = ?", asked.status)
    :add("p.created_at >= to_timestamp(?)", asked.from):add("p.created_at < to_timestamp(?)", asked.to)
    :add("p.amount_kopecks >= ?", asked.min and asked.min * 100):add("p.amount_kopecks <= ?", asked.max and asked.max * 100)
  if asked.q and asked.q:find(UUID) then
    return filter:add("p.id = ?::text::uuid OR p.gateway_id = ?::text", asked.q:lower())
  end
  return admin_drivers.search(filter, asked.q, "p.driver_id")
end

-- Of the newest rows that fit: a sum over all of a large table would keep people waiting.
local function sums(filter)
  return host.pg.one([[
    SELECT coalesce(sum(amount_kopecks) FILTER (WHERE status IN ('succeeded', 'partially_refunded', 'refunded')), 0)::bigint AS paid,
      count(*) FILTER (WHERE status IN ('succeeded', 'partially_refunded', 'refunded')) AS paid_count,
      count(*) FILTER (WHERE status IN ('pending', 'waiting_for_capture')) AS waiting,
      coalesce(sum(refunded_kopecks), 0)::bigint AS refunded, count(*) AS rows
    FROM (SELECT p.status, p.amount_kopecks, p.refunded_kopecks FROM payments p]] .. filter:where()
    .. " ORDER BY p.created_at DESC LIMIT " .. SUMMED_ROWS .. ") AS newest", unpack(filter.values, 1, #filter.values))
end

local function add_titles(rows)
  for _, row in ipairs(rows) do row.tariff_title = tariffs.title(row.tariff, "ru") end
  return rows
end

function admin_payments.list(asked)
  local filter = filter_of(asked)
  local page, problem = admin_list.page(LIST, filter, asked)
  if not page then return nil, problem end
  add_titles(page.rows)
  page.sums = sums(filter)
  return page
end

--- The same rows for a file.
function admin_payments.each(asked, give)
  return admin_list.each(LIST, filter_of(asked), asked, function(rows) return give(add_titles(rows)) end)
end

-- ---- one payment ----

local function find(id)
  local row, problem = host.pg.one([[
    SELECT p.id, p.driver_id::text, d.first_name, d.last_name, d.username, p.tariff, p.days, p.amount_kopecks, p.status,
      p.gateway_id, p.confirmation_url, p.refunded_kopecks, p.cancellation_reason, p.superseded_at, p.paid_at, p.checks,
      p.next_check_at, p.created_at, s.expires_at
    FROM payments p JOIN drivers d ON d.id = p.driver_id LEFT JOIN subscriptions s ON s.driver_id = p.driver_id
    WHERE p.id = $1::uuid]], id)
  if row then return row end
  return nil, problem and failure("database_unavailable", { text = tostring(problem) }) or failure "not_found"
end

local PARTS = {
  { "history", [[SELECT event, old_status, new_status, details, created_at FROM payment_history
      WHERE payment_id = $1::uuid ORDER BY id]] },
  { "refunds", [[SELECT id, gateway_id, amount_kopecks, status, reason, requested_by, created_at FROM refunds
      WHERE payment_id = $1::uuid ORDER BY created_at]] },
  { "notifications", [[SELECT event, status, outcome, body, received, received_at, last_problem FROM payment_inbox
      WHERE object_id = ANY (ARRAY(SELECT gateway_id FROM payments WHERE id = $1::uuid
        UNION ALL SELECT gateway_id FROM refunds WHERE payment_id = $1::uuid)) ORDER BY id LIMIT 20]] },
}

--- What is not given back or promised yet, in kopecks.
local function rest_of(payment)
  local promised = 0
  for _, refund in ipairs(payment.refunds) do
    if refund.status ~= "canceled" then promised = promised + refund.amount_kopecks end
  end
  return math.max(0, payment.amount_kopecks - promised)
end

function admin_payments.find(id)
  local payment, problem = find(id)
  if not payment then return nil, problem end
  for _, named in ipairs(PARTS) do payment[named[1]] = host.pg.query(named[2], id) or {} end
  payment.trail = admin_trail.of("payment", id) or {}
  payment.tariff_title = tariffs.title(payment.tariff, "ru")
  local can_refund = payment.status == "succeeded" or payment.status == "partially_refunded"
  payment.rest_kopecks = can_refund and rest_of(payment) or 0
  return payment
end

--- What a refund would do to the access.
--- @return {days: integer, expires_at: number?, amount_kopecks: integer, rest_kopecks: integer}?
--- @return table? failure  refund_too_large
function admin_payments.refund_effect(id, amount)
  local payment, problem = admin_payments.find(id)
  if not payment then return nil, problem end
  if amount < 1 or amount > payment.rest_kopecks then return nil, failure "refund_too_large" end
  local days
  days, problem = settling.days_to_take(host.pg.one, payment, payment.refunded_kopecks + amount)
  if not days then return nil, failure("database_unavailable", { text = tostring(problem) }) end
  return { days = days, expires_at = payment.expires_at and payment.expires_at - days * DAY_S, amount_kopecks = amount,
    rest_kopecks = payment.rest_kopecks }
end

-- A form's key is used up before the gateway hears of it; the second sending of the form changes nothing.
local function use_form(key)
  local row, problem = host.pg.one(
    "INSERT INTO admin_forms (key) VALUES ($1::uuid) ON CONFLICT (key) DO NOTHING RETURNING key", key)
  if problem then return nil, failure("database_unavailable", { text = tostring(problem) }) end
  host.pg.query "DELETE FROM admin_forms WHERE used_at < now() - interval '1 day'"
  return row ~= nil
end

--- @param order {id: string, amount: integer, reason: string, key: string}
function admin_payments.refund(order, actor)
  local fresh, problem = use_form(order.key)
  if fresh == nil then return nil, problem end
  if not fresh then return { status = "sent before" } end
  return refunds.ask(order.id, order.amount, admin_trail.actor(actor), order.reason, actor)
end

--- Ask the gateway what became of it and act on that.
--- @return {outcome: string}?
--- @return table? failure  not_found, not_at_gateway, gateway_unavailable, encryption_key_missing
function admin_payments.ask(id, actor)
  local payment, problem = find(id)
  if not payment then return nil, problem end
  local object
  object, problem = reconciler.ask_gateway(payment)
  if not object and not problem then return nil, failure "not_at_gateway" end
  if not object and problem.code == "encryption_key_missing" then return nil, problem end
  if not object then return nil, failure("gateway_unavailable", { text = tostring(problem), retry_after_s = 10 }) end
  local outcome
  outcome, problem = settling.payment(object, "reconcile")
  if not outcome then return nil, failure("database_unavailable", { text = tostring(problem) }) end
  local ok
  ok, problem = admin_trail.write(actor, { action = "payment.asked", target_type = "payment", target_id = id,
    details = { outcome = outcome, before = { status = payment.status }, after = { status = object.status } } })
  if not ok then return nil, problem end
  return { outcome = outcome }
end

return admin_payments
