--- What brings payments to their end when notifications do not come: asks again, searches for those whose creation was
--- never answered, and once a day compares with the gateway's own list.
local host = host
local alerts = require "services.alerts"
local audit = require "services.audit"
local failure = require "kit.failure"
local refunds = require "services.refunds"
local settling = require "services.payment_settling"
local yookassa = require "services.yookassa"

local reconciler = {}

local BATCH = 8
local MAX_BATCHES = 25
local LOST_AFTER_S = 86400
local CLOCKS_DIFFER_S = 3600
local COMPARED_S = 3 * 86400
local FIRST_PAUSE_S, MAX_PAUSE_S = 60, 3600

-- Older than two minutes, then after growing pauses. The claim itself sets the next look.
local CLAIM = [[
  UPDATE payments SET checks = checks + 1, next_check_at = now() + least($1, $2 * 2 ^ least(checks, 12)) * interval '1 second'
  WHERE id IN (SELECT id FROM payments
               WHERE status IN ('pending', 'waiting_for_capture') AND created_at <= now() - interval '2 minutes'
                 AND coalesce(next_check_at, created_at) <= now()
               ORDER BY coalesce(next_check_at, created_at) LIMIT $3 FOR UPDATE SKIP LOCKED)
  RETURNING id, gateway_id, created_at, extract(epoch FROM now() - created_at)::float8 AS age_s]]

local function ask_again(row)
  local object, problem = yookassa.payment(row.gateway_id)
  if object then return settling.payment(object, "reconcile") end
  if problem.code == "not_found" then
    alerts.raise("payment_unknown_to_gateway", "YooKassa does not know a payment it made: was the shop changed?",
      { payment_id = row.id })
  end
  return nil, problem
end

local function give_up(row)
  return host.pg.transaction(function(tx)
    local done, problem = tx:query([[
      UPDATE payments SET status = 'failed' WHERE id = $1::uuid AND status = 'pending' AND gateway_id IS NULL]], row.id)
    if not done then return nil, problem end
    if done.affected == 0 then return true end
    local ok
    ok, problem = tx:query([[
      INSERT INTO payment_history (payment_id, event, old_status, new_status)
      VALUES ($1::uuid, 'reconcile', 'pending', 'failed')]], row.id)
    if not ok then return nil, problem end
    return audit.write_in(tx, { action = "payment.failed", target_type = "payment", target_id = row.id,
      details = { reason = "never created at the gateway" } })
  end)
end

-- What the gateway made of payments without an id of its own, by our ids: it names ours in its metadata.
local function find_made(rows)
  local wanted, since = {}, host.time.now()
  for _, row in ipairs(rows) do
    wanted[row.id] = true
    since = math.min(since, row.created_at)
  end
  local found = {}
  local ok, problem = yookassa.each_payment(since - CLOCKS_DIFFER_S, nil, function(object)
    local id = type(object.metadata) == "table" and object.metadata.payment_id
    if id and wanted[id] then found[id] = object end
  end)
  if not ok then return nil, problem end
  return found
end

local function search(rows)
  local found, problem = find_made(rows)
  if not found then return nil, problem end
  for _, row in ipairs(rows) do
    if found[row.id] then
      settling.payment(found[row.id], "reconcile")
    elseif row.age_s > LOST_AFTER_S then
      give_up(row)
    end
  end
  return true
end

-- Those with an id of the gateway are asked for side by side, the others searched for in one walk.
local function look_after(rows)
  local asks, lost = {}, {}
  for _, row in ipairs(rows) do
    if row.gateway_id then
      asks[#asks + 1] = function() return ask_again(row) end
    else
      lost[#lost + 1] = row
    end
  end
  local problem
  for _, result in ipairs(host.task.all(asks)) do problem = problem or not result[1] and result[2] or nil end
  if #lost > 0 then
    local _, why = search(lost)
    problem = problem or why
  end
  return problem
end

local function pursue_refunds()
  local rows = host.pg.query([[
    UPDATE refunds SET checks = checks + 1, next_check_at = now() + least($1, $2 * 2 ^ least(checks, 12)) * interval '1 second'
    WHERE id IN (SELECT id FROM refunds WHERE status = 'pending' AND next_check_at <= now()
                 ORDER BY next_check_at LIMIT $3 FOR UPDATE SKIP LOCKED)
    RETURNING id]], MAX_PAUSE_S, FIRST_PAUSE_S, BATCH)
  for _, row in ipairs(rows or {}) do refunds.pursue(row.id) end
end

--- What the gateway says of a payment now, known to it by its own id or by ours.
--- @param row {id: string, gateway_id: string?, created_at: number}
--- @return table? object  nil without a failure: it never made this one
--- @return table? failure
function reconciler.ask_gateway(row)
  if row.gateway_id then return yookassa.payment(row.gateway_id) end
  local found, problem = find_made { row }
  if not found then return nil, problem end
  return found[row.id]
end

--- The job payments.reconcile.
--- @return {looked_at: integer, problem: string?}?
--- @return table? failure
function reconciler.run()
  local count, problem = 0, nil
  for _ = 1, MAX_BATCHES do
    local rows, why = host.pg.query(CLAIM, MAX_PAUSE_S, FIRST_PAUSE_S, BATCH)
    if not rows then return nil, why end
    if #rows == 0 then break end
    problem = look_after(rows) or problem
    count = count + #rows
  end
  pursue_refunds()
  return { looked_at = count, problem = problem and tostring(problem) or nil }
end

-- ---- the daily comparison ----

local function note_unknown(object)
  alerts.raise("payment_unknown", "the gateway has a paid payment that is none of ours: compare with the merchant's cabinet",
    { gateway_id = tostring(object.id) })
  audit.write_in(host.pg, { action = "payment.unknown", actor_type = "gateway", target_type = "gateway",
    target_id = tostring(object.id) })
end

--- The job payments.compare: every paid payment and every refund of the last days is ours, and known as such.
--- @return {payments: integer, refunds: integer, settled: integer}?
--- @return table? failure
function reconciler.compare()
  if not yookassa.is_configured() then return { payments = 0, refunds = 0, settled = 0 } end
  local since, counted = host.time.now() - COMPARED_S, { payments = 0, refunds = 0, settled = 0 }
  local function count(kind, outcome)
    counted[kind] = counted[kind] + 1
    if outcome == "applied" then counted.settled = counted.settled + 1 end
  end
  local ok, problem = yookassa.each_payment(since, { status = "succeeded" }, function(object)
    local outcome = settling.payment(object, "compare")
    if outcome == "unknown" then note_unknown(object) end
    count("payments", outcome)
  end)
  if not ok then return nil, failure.of(problem) end
  ok, problem = yookassa.each_refund(since, function(object) count("refunds", settling.refund(object, "compare")) end)
  if not ok then return nil, failure.of(problem) end
  return counted
end

return reconciler
