--- Notifications of YooKassa. They are stored, answered, and then only make us look: what happens is decided by what
--- the gateway answers when asked. A notification that is repeated makes us look again, unless it was acted on.
local host = host
local alerts = require "services.alerts"
local audit = require "services.audit"
local failure = require "kit.failure"
local rate_limit = require "services.rate_limit"
local settling = require "services.payment_settling"
local text = require "kit.text"
local yookassa = require "services.yookassa"

local inbox = {}

local CLAIM_S = 6               -- longer than asking the gateway takes; a dead worker's notification is due after it
local DEAD_AFTER_S = 86400
local MAX_PAUSE_S = 3600
local BATCH = 8
local MAX_BATCHES = 50
local LATER_S = 10
local UNKNOWN_OBJECT_TRIES = 5  -- the gateway itself does not know it: forged, or a little too early

local EVENTS = {
  ["payment.waiting_for_capture"] = "payment", ["payment.succeeded"] = "payment", ["payment.canceled"] = "payment",
  ["refund.succeeded"] = "refund",
}

-- ---- who sends ----

local function is_our_sender(address)
  local allowed = host.config.yookassa.allowed_ips
  if allowed == "*" then return true end
  return address ~= nil and address:find "^[%x%.:]+$" ~= nil and host.http.address_in(address, allowed)
end

local function is_signed(body, signature)
  local secret = host.config.yookassa.webhook_secret
  if not secret then return true end
  local expected = "sha256=" .. host.crypto.hex(host.crypto.hmac_sha256(secret, body))
  return host.crypto.equal(expected, signature or "")
end

local function refuse(code, context)
  host.metrics.count("webhooks_refused_total", { reason = code })
  if host.shared.add(("webhook refused:%s:%s"):format(code, context.address or ""), true, 60000) then
    audit.write_later({ action = "payment.webhook_refused", actor_type = "gateway", details = { reason = code } }, context)
  end
  return nil, failure(code)
end

--- May this sender tell us anything?
--- @param sent {body: string, signature: string?, key: string?}
--- @return boolean?
--- @return table? failure  forbidden_sender, bad_signature, not_found
function inbox.admit(sent, context)
  local path_key = host.config.yookassa.webhook_path_key
  if sent.key and not path_key then return nil, failure "not_found" end
  if path_key and not host.crypto.equal(path_key, sent.key or "") then return refuse("forbidden_sender", context) end
  if not is_our_sender(context.address) then return refuse("forbidden_sender", context) end
  if not is_signed(sent.body, sent.signature) then return refuse("bad_signature", context) end
  return true
end

-- ---- storing ----

local function is_id(value)
  return type(value) == "string" and #value <= 64 and value:find "^[%w%-]+$" ~= nil
end

local function read(said)
  local object = type(said) == "table" and said.object
  if type(object) ~= "table" or not is_id(object.id) then return nil end
  if said.type ~= nil and said.type ~= "notification" then return nil end
  if type(said.event) ~= "string" or #said.event > 64 or not said.event:find "^[%l_]+%.[%l_]+$" then return nil end
  if type(object.status) ~= "string" or #object.status > 64 or not object.status:find "^[%l_]+$" then return nil end
  return { event = said.event, object_id = object.id, status = object.status }
end

--- What a notification says.
--- @return {event: string, object_id: string, status: string}?
--- @return table? failure  invalid_json, invalid_notification
function inbox.read(body)
  local said = text.is_utf8(body) and host.json.decode(body)
  if not said then return nil, failure "invalid_json" end
  local notification = read(said)
  if not notification then return nil, failure "invalid_notification" end
  return notification
end

local STORE = [[
  INSERT INTO payment_inbox (event, object_id, status, body, address, next_try_at)
  VALUES ($1, $2, $3, $4, $5::inet, now() + $6 * interval '1 second')
  ON CONFLICT ON CONSTRAINT payment_inbox_once DO UPDATE
  SET received = payment_inbox.received + 1, last_received_at = now(),
    next_try_at = CASE WHEN payment_inbox.outcome = 'applied' THEN NULL
                       ELSE coalesce(payment_inbox.next_try_at, excluded.next_try_at) END
  RETURNING id, coalesce(next_try_at <= now(), false) AS is_due]]

--- Store a notification. When this returns true it is not lost any more.
--- @return boolean?
--- @return table? failure  rate_limited, database_unavailable
function inbox.store(said, body, context)
  if not EVENTS[said.event] then
    host.metrics.count("webhooks_total", { event = "other" })
    return true
  end
  local passed, limited = rate_limit.take("webhook", "yookassa")
  if not passed then return nil, limited end
  local pause_s = rate_limit.take("webhook_object", said.object_id) and 0 or LATER_S
  local row, problem = host.pg.one(STORE, said.event, said.object_id, said.status, body, context.address, pause_s)
  if not row then
    return nil, failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 })
  end
  host.metrics.count("webhooks_total", { event = said.event })
  if row.is_due then host.task.spawn_with({ label = "notification" }, inbox.work_one, row.id) end
  return true
end

-- ---- acting ----

local function note_forged(row, reason, fetched)
  return audit.write_in(host.pg, { action = "payment.webhook_mismatch", actor_type = "gateway", target_type = "gateway",
    target_id = row.object_id, details = { reason = reason, event = row.event, said = row.status, fetched = fetched } },
    { address = row.address })
end

-- Did the notification claim an end that the gateway knows nothing of?
local function check_claim(row, object)
  local is_claim = row.status == "succeeded" or row.status == "canceled"
  if is_claim and object.status ~= row.status then note_forged(row, "status", tostring(object.status)) end
end

-- Did it say that another payment was given back than the gateway says?
local function check_payment(row, object)
  local said = row.body and host.json.decode(row.body)
  local claimed = type(said) == "table" and type(said.object) == "table" and said.object.payment_id or nil
  if claimed ~= nil and claimed ~= object.payment_id then note_forged(row, "payment", tostring(object.payment_id)) end
end

-- The gateway does not know what the notification is about.
local function judge_unknown_object(row)
  if row.attempts == 1 then note_forged(row, "unknown_to_gateway") end
  if row.attempts >= UNKNOWN_OBJECT_TRIES then return "mismatch" end
  return "retry", "the gateway does not know it"
end

local function act_on_payment(row)
  local object, problem = yookassa.payment(row.object_id)
  if not object then
    if problem.code == "not_found" then return judge_unknown_object(row) end
    return "retry", problem
  end
  check_claim(row, object)
  return settling.payment(object, "webhook")
end

local function act_on_refund(row)
  local object, problem = yookassa.refund(row.object_id)
  if not object then
    if problem.code == "not_found" then return judge_unknown_object(row) end
    return "retry", problem
  end
  check_claim(row, object)
  if row.attempts == 1 then check_payment(row, object) end
  local outcome
  outcome, problem = settling.refund(object, "webhook")
  if outcome ~= "early" then return outcome, problem end
  local payment
  payment, problem = yookassa.payment(object.payment_id)
  if not payment then return "retry", problem end
  settling.payment(payment, "webhook")
  return settling.refund(object, "webhook")
end

local ACT = { payment = act_on_payment, refund = act_on_refund }
local FINAL = { applied = true, unchanged = true, mismatch = true }

-- What came again meanwhile is looked at again.
local function finish(row, outcome)
  return host.pg.one([[
    UPDATE payment_inbox SET outcome = $2, last_problem = NULL,
      next_try_at = CASE WHEN received = $3 OR $2 = 'applied' THEN NULL ELSE now() END
    WHERE id = $1 RETURNING next_try_at IS NOT NULL AS again]], row.id, outcome, row.received)
end

local function bury(row, problem)
  alerts.raise("webhook_dead", "a notification of YooKassa fits no payment of ours: compare with the merchant's cabinet",
    { event = row.event, object_id = row.object_id })
  audit.write_in(host.pg, { action = "payment.webhook_dead", actor_type = "gateway", target_type = "gateway",
    target_id = row.object_id, details = { event = row.event, problem = problem } })
  return host.pg.query("UPDATE payment_inbox SET outcome = 'dead', next_try_at = NULL, last_problem = $2 WHERE id = $1",
    row.id, problem)
end

local function postpone(row, problem)
  if row.age_s > DEAD_AFTER_S then return bury(row, problem) end
  local pause_s = math.min(MAX_PAUSE_S, 2 ^ math.min(row.attempts, 12))
  return host.pg.query([[
    UPDATE payment_inbox SET next_try_at = now() + $2 * interval '1 second', last_problem = $3 WHERE id = $1]],
    row.id, pause_s, problem)
end

local function act(row)
  local outcome, problem = ACT[EVENTS[row.event]](row)
  if FINAL[outcome] then
    local ended = finish(row, outcome)
    return ended and ended.again
  end
  postpone(row, problem and tostring(problem) or outcome)
  return false
end

local CLAIM = [[
  UPDATE payment_inbox SET attempts = attempts + 1, next_try_at = now() + $1 * interval '1 second'
  WHERE id IN (SELECT id FROM payment_inbox WHERE next_try_at <= now() AND ($2::bigint IS NULL OR id = $2::bigint)
               ORDER BY next_try_at LIMIT $3 FOR UPDATE SKIP LOCKED)
  RETURNING id, event, object_id, status, body, host(address) AS address, received, attempts,
    extract(epoch FROM now() - received_at)::float8 AS age_s]]

--- Look after one notification now, unless another does.
function inbox.work_one(id)
  repeat
    local row = host.pg.one(CLAIM, CLAIM_S, id, 1)
  until not row or not act(row)
end

--- Look after all that are due: those of dead workers, those that could not be settled yet.
--- @return {looked_at: integer}?
--- @return table? failure
function inbox.work()
  local count = 0
  for _ = 1, MAX_BATCHES do
    local rows, problem = host.pg.query(CLAIM, CLAIM_S, nil, BATCH)
    if not rows then return nil, problem end
    if #rows == 0 then break end
    local acts = {}
    for index, row in ipairs(rows) do acts[index] = function() return act(row) or false end end
    host.task.all(acts)
    count = count + #rows
  end
  local waiting = host.pg.one "SELECT count(*)::int AS count FROM payment_inbox WHERE next_try_at IS NOT NULL"
  if waiting then host.metrics.gauge("payment_inbox_waiting", waiting.count) end
  return { looked_at = count }
end

--- Bodies go after their retention; what happened stays.
--- @return {cleared: integer}?
--- @return table? failure
function inbox.clean()
  local done, problem = host.pg.query([[
    UPDATE payment_inbox SET body = NULL
    WHERE body IS NOT NULL AND next_try_at IS NULL AND received_at < now() - $1 * interval '1 day']],
    host.config.retention.inbox_d)
  if not done then return nil, problem end
  return { cleared = done.affected }
end

return inbox
