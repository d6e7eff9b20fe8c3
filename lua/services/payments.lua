--- Payments as rows: opening one, asking the gateway to create it, showing it. The row comes first and its id is the key
--- at the gateway, so a tap, its repetition and a retry after silence are one payment.
---
--- One tap creates, taps meanwhile wait for it: `posting_until` says that somebody is asking the gateway.
local host = host
local alerts = require "services.alerts"
local audit = require "services.audit"
local failure = require "kit.failure"
local receipts = require "services.receipts"
local rules = require "kit.rules"
local settling = require "services.payment_settling"
local yookassa = require "services.yookassa"

local payments = {}

local REUSED_FOR_S = 300        -- a payment page is given out again so long
local POSTED_FOR_S = 23 * 3600  -- the gateway forgets keys after 24 h
local POSTING_S = 10            -- then another tap may ask under the same key: whoever was asking may be dead
local POLL_MS = 50
local PAGE_SIZE = 50
local ATTEMPTS_KEPT_D = 30

local COLUMNS = [[id, driver_id::text, tariff, days, amount_kopecks, currency, status, gateway_id, confirmation_url,
  return_url, receipt_sealed, superseded_at, created_at, paid_at, refunded_kopecks,
  extract(epoch FROM now() - created_at)::float8 AS age_s, coalesce(posting_until > now(), false) AS is_posting,
  coalesce(posting_until <= now(), false) AS is_abandoned]]

local function no_database(problem)
  return nil, failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 })
end

local function unavailable(text)
  return nil, failure("gateway_unavailable", { service = "yookassa", text = text, retry_after_s = 10 })
end

local function write_history(tx, id, event, details)
  return tx:query("INSERT INTO payment_history (payment_id, event, details) VALUES ($1::uuid, $2, $3)", id, event,
    host.pg.json(details or {}))
end

-- ---- attempts: what a client's own key was answered with ----

local function hash_of(asked)
  return host.pg.bytea(host.crypto.sha256(host.json.encode(asked, { sorted = true })))
end

-- The payment this key was answered with before, if it was.
local function find_attempt(tx, driver_id, attempt)
  if not attempt then return nil end
  local known, problem = tx:one([[
    SELECT payment_id, body_hash = $3 AS is_same FROM payment_attempts WHERE driver_id = $1::bigint AND key = $2]],
    driver_id, attempt.key, hash_of(attempt.asked))
  if not known then return nil, problem end
  if not known.is_same then return nil, failure "idempotency_key_reused" end
  local row
  row, problem = tx:one("SELECT " .. COLUMNS .. " FROM payments WHERE id = $1::uuid", known.payment_id)
  if row then row.is_repeated = true end
  return row, problem
end

local function remember_attempt(tx, row, attempt)
  if not attempt or row.is_repeated then return true end
  return tx:query([[
    INSERT INTO payment_attempts (driver_id, key, payment_id, body_hash) VALUES ($1::bigint, $2, $3::uuid, $4)]],
    row.driver_id, attempt.key, row.id, hash_of(attempt.asked))
end

--- The job payments.attempts: keys are remembered for a month.
--- @return {forgotten: integer}?
--- @return table? failure
function payments.forget_attempts()
  local done, problem = host.pg.query(
    "DELETE FROM payment_attempts WHERE created_at < now() - $1 * interval '1 day'", ATTEMPTS_KEPT_D)
  if not done then return nil, problem end
  return { forgotten = done.affected }
end

-- ---- the row ----

local function find_open(tx, driver_id, tariff)
  return tx:one("SELECT " .. COLUMNS .. [[ FROM payments
    WHERE driver_id = $1::bigint AND tariff = $2 AND status = 'pending' AND superseded_at IS NULL FOR UPDATE]],
    driver_id, tariff)
end

-- While its price and page hold. One without an answer of the gateway stays the same payment as long as its key does.
local function is_reusable(row, tariff, wanted)
  if row.amount_kopecks ~= tariff.price_kopecks or row.days ~= tariff.days then return false end
  if not row.gateway_id then return row.age_s < POSTED_FOR_S end
  return row.age_s < REUSED_FOR_S and (not wanted.return_url or wanted.return_url == row.return_url)
end

local function supersede(tx, row)
  local ok, problem = tx:query("UPDATE payments SET superseded_at = now() WHERE id = $1::uuid", row.id)
  if not ok then return nil, problem end
  return write_history(tx, row.id, "superseded")
end

local function default_return_url(id)
  return host.config.webapp_url:gsub("/+$", "") .. "/payments/return?payment=" .. id
end

local function seal_receipt(id, tariff, contact)
  if not contact then return nil end
  local receipt = receipts.build(contact, payments.description(tariff.days), tariff.price_kopecks)
  local sealed, problem = receipts.seal(receipt, id)
  return sealed and host.pg.bytea(sealed), problem
end

local function insert(tx, driver_id, tariff, wanted, context)
  local id = host.crypto.uuid()
  local sealed, problem = seal_receipt(id, tariff, wanted.contact)
  if problem then return nil, problem end
  local row
  row, problem = tx:one([[
    INSERT INTO payments (id, driver_id, tariff, days, amount_kopecks, return_url, receipt_sealed)
    VALUES ($1::uuid, $2::bigint, $3, $4, $5, $6, $7) RETURNING ]] .. COLUMNS,
    id, driver_id, tariff.name, tariff.days, tariff.price_kopecks, wanted.return_url or default_return_url(id), sealed)
  if not row then return nil, problem end
  local ok
  ok, problem = write_history(tx, id, "created")
  if not ok then return nil, problem end
  ok, problem = audit.write_in(tx, { action = "payment.created", actor_type = "driver", actor_id = driver_id,
    target_type = "payment", target_id = id,
    details = { tariff = tariff.name, days = tariff.days, amount_kopecks = tariff.price_kopecks } }, context)
  if not ok then return nil, problem end
  row.is_new = true
  return row
end

-- The row this tap is about, new or not.
local function choose(tx, driver_id, tariff, wanted, context)
  local row, problem = find_attempt(tx, driver_id, wanted.attempt)
  if row or problem then return row, problem end
  row, problem = find_open(tx, driver_id, tariff.name)
  if problem then return nil, problem end
  if row and is_reusable(row, tariff, wanted) then return row end
  if row then
    local ok
    ok, problem = supersede(tx, row)
    if not ok then return nil, problem end
  end
  return insert(tx, driver_id, tariff, wanted, context)
end

-- `mine` on the row: this tap asks the gateway.
local function claim(tx, row)
  if row.status ~= "pending" or row.gateway_id or row.is_posting or row.age_s >= POSTED_FOR_S then return row end
  local ok, problem = tx:query(
    "UPDATE payments SET posting_until = now() + $2 * interval '1 second' WHERE id = $1::uuid", row.id, POSTING_S)
  if not ok then return nil, problem end
  row.mine = true
  return row
end

-- Taps of one driver queue on the lock, on whatever node they come.
local function open_row(driver_id, tariff, wanted, context)
  return host.pg.transaction(function(tx)
    local ok, problem = tx:query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", "payments of " .. driver_id)
    if not ok then return nil, problem end
    local row
    row, problem = choose(tx, driver_id, tariff, wanted, context)
    if not row then return nil, problem end
    ok, problem = remember_attempt(tx, row, wanted.attempt)
    if not ok then return nil, problem end
    return claim(tx, row)
  end)
end

-- ---- the gateway ----

--- What the payer reads.
function payments.description(days)
  return ("Подписка на %d %s"):format(days, rules.texts.plural(days, "день|дня|дней", "ru"))
end

local function request_body(row)
  local receipt, problem
  if row.receipt_sealed then
    receipt, problem = receipts.open(row.receipt_sealed, row.id)
    if not receipt then return nil, problem end
  end
  return {
    amount = { value = rules.tariffs.amount(row.amount_kopecks), currency = row.currency }, capture = true,
    confirmation = { type = "redirect", return_url = row.return_url },
    description = payments.description(row.days), receipt = receipt,
    metadata = { payment_id = row.id, driver_id = row.driver_id, tariff = row.tariff },
  }
end

local function note_error(row, problem, is_final)
  local done, why = host.pg.transaction(function(tx)
    local ok, trouble = tx:query([[
      UPDATE payments SET posting_until = NULL, status = CASE WHEN $2 AND status = 'pending' THEN 'failed' ELSE status END
      WHERE id = $1::uuid]], row.id, is_final)
    if not ok then return nil, trouble end
    local details = { problem = problem.code, answered = problem.answered, final = is_final }
    ok, trouble = write_history(tx, row.id, "gateway_error", details)
    if not ok then return nil, trouble end
    return audit.write_in(tx, { action = "payment.gateway_error", target_type = "payment", target_id = row.id,
      details = details })
  end)
  if not done then host.log.warn("payment error not recorded", { payment_id = row.id, failure = tostring(why) }) end
end

local function find(id)
  return host.pg.one("SELECT " .. COLUMNS .. " FROM payments WHERE id = $1::uuid", id)
end

-- A definite no ends the payment; silence leaves it to the next tap and the reconciler.
local function post(row)
  local body, problem = request_body(row)
  local object
  if body then object, problem = yookassa.create_payment(body, row.id) end
  if not object then
    note_error(row, problem, problem.code == "gateway_refused" and not problem.unknown)
    host.log.warn("payment not created", { payment_id = row.id, failure = tostring(problem) })
    if problem.code == "encryption_key_missing" then return nil, problem end
    return unavailable(tostring(problem))
  end
  local outcome
  outcome, problem = settling.payment(object, "created")
  if not outcome then return no_database(problem) end
  if outcome == "mismatch" or outcome == "unknown" then
    note_error(row, { code = outcome }, false)
    return unavailable "the gateway created something else"
  end
  return true
end

-- Another tap is asking the gateway.
local function wait_for_creation(id)
  while true do
    local row, problem = find(id)
    if not row then return no_database(problem or "the payment is gone") end
    if row.gateway_id or row.status ~= "pending" or not row.is_posting then return row end
    local left_ms = host.task.remaining_ms()
    if left_ms and left_ms < 2 * POLL_MS then return unavailable "another tap still asks the gateway" end
    host.task.sleep(POLL_MS)
  end
end

-- In a task of its own: a client that goes away does not leave the payment half created.
local function create(row)
  return host.task.single_flight("payment " .. row.id, function() return post(row) end)
end

-- The row with what the gateway said of it.
local function complete(row)
  if row.mine then
    local ok, problem = create(row)
    if not ok then return nil, problem end
  end
  local now, problem = wait_for_creation(row.id)
  if not now then return nil, problem end
  if now.is_abandoned and now.status == "pending" and not now.gateway_id then
    return nil, failure "creation_abandoned"
  end
  if now.status == "pending" and not now.confirmation_url and now.gateway_id then
    local object = yookassa.payment(now.gateway_id) -- it answered without a page at first
    if object then settling.payment(object, "created") end
    now, problem = find(row.id)
    if not now then return no_database(problem) end
  end
  if now.status == "pending" and not now.confirmation_url or now.status == "failed" and not row.is_repeated then
    return unavailable "there is no page to pay at"
  end
  now.is_new = row.is_new
  return now
end

--- The payment a tap on «Оплатить» is about, with a page to pay at.
--- @param wanted {return_url: string?, contact: table?, attempt: {key: string, asked: table}?}
---   the same key with the same `asked` is the same payment, also after that has ended
--- @return table? row  `is_new` when this tap made it
--- @return table? failure  gateway_unavailable (the row is kept), idempotency_key_reused, database_unavailable
function payments.open(driver_id, tariff, wanted, context)
  local row, problem = open_row(driver_id, tariff, wanted, context)
  if row then
    local completed, why = complete(row)
    if completed or why.code ~= "creation_abandoned" then return completed, why end
    return payments.open(driver_id, tariff, wanted, context) -- whoever asked the gateway died: now it is our turn
  end
  if problem.code == "idempotency_key_reused" or problem.code == "encryption_key_missing" then return nil, problem end
  alerts.raise("payments_failing", "drivers cannot pay: is Postgres up?", { failure = tostring(problem) })
  return no_database(problem)
end

-- ---- showing ----

--- Could it be the id of a payment?
function payments.is_id(text)
  return text:find "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$" ~= nil
end

--- A driver's own payment; nil without a failure when there is none.
function payments.of_driver(id, driver_id)
  local row, problem = host.pg.one(
    "SELECT " .. COLUMNS .. " FROM payments WHERE id = $1::uuid AND driver_id = $2::bigint", id, driver_id)
  if problem then return no_database(problem) end
  return row
end

--- A driver's payments, newest first, a page at a time.
--- @param before? string  id of the last one seen
--- @return table[]? rows
--- @return table? failure
function payments.history(driver_id, before)
  local rows, problem = host.pg.query("SELECT " .. COLUMNS .. [[ FROM payments
    WHERE driver_id = $1::bigint AND ($2::uuid IS NULL OR (created_at, id) <
      (SELECT created_at, id FROM payments WHERE driver_id = $1::bigint AND id = $2::uuid))
    ORDER BY created_at DESC, id DESC LIMIT $3]], driver_id, before, PAGE_SIZE)
  if not rows then return no_database(problem) end
  return rows
end

payments.page_size = PAGE_SIZE

return payments
