--- Responses of drivers as rows, and what each change of one brings with it.
local host = host
local audit = require "services.audit"
local events = require "services.events"
local failure = require "kit.failure"
local outbox = require "services.outbox"
local rules = require "kit.rules"

local responses = {}

local CODE_BYTES = 10
local COLUMNS = [[id::text, driver_id::text, cargo_id, code, status, cargo, phone, name, chat_id, message_id, failure,
  created_at, updated_at, sent_at, decided_at, decided_by]]

local function no_database(cause)
  return failure("database_unavailable", { text = tostring(cause), retry_after_s = 5 })
end

-- ---- reading ----

--- The driver's response to a cargo. nil alone when there is none.
function responses.find(driver_id, cargo_id)
  local row, problem = host.pg.one("SELECT " .. COLUMNS
    .. " FROM responses WHERE driver_id = $1::bigint AND cargo_id = $2", driver_id, cargo_id)
  if problem then return nil, no_database(problem) end
  return row
end

function responses.get(id)
  return host.pg.one("SELECT " .. COLUMNS .. " FROM responses WHERE id = $1::uuid", id)
end

--- What became of the driver's responses to some cargos: id → status.
--- @param cargo_ids string[]  digits
--- @return table<string, string>?
--- @return table? failure
function responses.statuses(driver_id, cargo_ids)
  local rows, problem = host.pg.query("SELECT cargo_id, status FROM responses WHERE driver_id = $1::bigint"
    .. " AND cargo_id = ANY ($2::text[])", driver_id, "{" .. table.concat(cargo_ids, ",") .. "}")
  if not rows then return nil, no_database(problem) end
  local statuses = {}
  for _, row in ipairs(rows) do statuses[row.cargo_id] = row.status end
  return statuses
end

local FILTERS = {
  all = "true",
  waiting = "status IN ('queued', 'sent')",
  accepted = "status IN ('accepted', 'completed')",
}

--- A page of a driver's responses, newest first.
--- @param ask {driver_id: string, filter: string, limit: integer, before: {created_at: string, id: string}?}
--- @return table[]? rows  each with `created_text`, exact, for the cursor
function responses.page(ask)
  local before = ask.before or {}
  local rows, problem = host.pg.query("SELECT " .. COLUMNS .. ", created_at::text AS created_text FROM responses"
    .. " WHERE driver_id = $1::bigint AND " .. FILTERS[ask.filter]
    .. " AND ($2::timestamptz IS NULL OR (created_at, id) < ($2::timestamptz, $3::uuid))"
    .. " ORDER BY created_at DESC, id DESC LIMIT $4", ask.driver_id, before.created_at, before.id, ask.limit)
  if not rows then return nil, no_database(problem) end
  return rows
end

-- What a driver waits for. That a message went out is no news.
local NEWS = "r.driver_id = d.id AND r.status IN ('accepted', 'rejected', 'completed', 'failed')"
  .. " AND r.updated_at > d.responses_seen_at"

--- How many of a driver's responses got there since `mark_seen`.
--- @return integer? count
--- @return table? failure
function responses.count_news(driver_id)
  local row, problem = host.pg.one("SELECT count(*) AS news FROM drivers d JOIN responses r ON " .. NEWS
    .. " WHERE d.id = $1::bigint", driver_id)
  if not row then return nil, no_database(problem) end
  return row.news
end

--- The driver looks at the list. Writes only when there was something new in it.
function responses.mark_seen(driver_id)
  return host.pg.query("UPDATE drivers d SET responses_seen_at = now() WHERE d.id = $1::bigint"
    .. " AND EXISTS (SELECT 1 FROM responses r WHERE " .. NEWS .. ")", driver_id)
end

-- ---- who the driver is ----

--- What a response carries of its driver: {phone, name, is_known}; known is who gave a phone or has responded before.
function responses.contact_of(driver_id)
  local row, problem = host.pg.one([[
    SELECT phone, coalesce(contact_name, nullif(first_name, '')) AS name,
      phone IS NOT NULL OR contact_name IS NOT NULL AS is_known FROM drivers WHERE id = $1::bigint]], driver_id)
  if problem then return nil, no_database(problem) end
  return row or {}
end

local function remember_contact(tx, request)
  if not request.phone and not request.name then return end
  tx:query([[
    UPDATE drivers SET phone = coalesce($2, phone), contact_name = coalesce($3, contact_name), updated_at = now()
    WHERE id = $1::bigint]], request.driver_id, request.phone, request.name)
end

-- ---- making ----

local function insert(tx, request)
  return tx:one([[
    INSERT INTO responses (driver_id, cargo_id, code, cargo, phone, name)
    SELECT id, $2, $3, $4, coalesce($5, phone), left(coalesce($6, contact_name, nullif(first_name, '')), 255)
    FROM drivers WHERE id = $1::bigint
    ON CONFLICT (driver_id, cargo_id) DO NOTHING RETURNING ]] .. COLUMNS,
    request.driver_id, request.cargo.id, host.crypto.hex(host.crypto.random(CODE_BYTES)),
    host.pg.json(request.cargo), request.phone, request.name)
end

local function create_in(tx, request, context)
  remember_contact(tx, request)
  local row, problem = insert(tx, request)
  if problem then return nil, problem end
  if not row then
    return tx:one("SELECT " .. COLUMNS .. " FROM responses WHERE driver_id = $1::bigint AND cargo_id = $2",
      request.driver_id, request.cargo.id)
  end
  local queued
  queued, problem = outbox.add(tx, { kind = "response", chat_key = "responses", response_id = row.id })
  if not queued then return nil, problem end
  audit.write_in(tx, { action = "response.created", actor_type = "driver", actor_id = request.driver_id,
    target_type = "response", target_id = row.id, details = { cargo_id = row.cargo_id } }, context)
  row.is_new = true
  return row
end

--- The response and the message about it, in one transaction; or the one that is there already.
--- @param request {driver_id: string, cargo: table, phone: string?, name: string?}
--- @return table? row  `is_new` when this call made it
--- @return table? failure
function responses.create(request, context)
  local row, problem = host.pg.transaction(function(tx) return create_in(tx, request, context) end)
  if not row then return nil, no_database(problem) end
  if row.is_new then
    events.emit("response.created", { response_id = row.id, driver_id = row.driver_id, cargo_id = row.cargo_id })
  end
  return row
end

-- ---- moving ----

--- Queue a word to the driver, unless they cannot be reached.
--- @param notice {driver_id: string, cargo_id: string, status: string}
function responses.tell_driver(tx, notice)
  local driver = tx:one([[
    SELECT language_code FROM drivers WHERE id = $1::bigint AND unreachable_at IS NULL]], notice.driver_id)
  if not driver then return true end
  local language = rules.texts.language_of(driver.language_code)
  return outbox.add(tx, {
    kind = "driver_status", chat_key = notice.driver_id, response_id = notice.response_id,
    payload = { text = rules.texts.bot("driver_status", language, {
      cargo_id = notice.cargo_id, status = rules.texts.bot("status_" .. notice.status, language),
      more = rules.texts.bot("status_line_" .. notice.status, language),
    }) },
  })
end

--- Contract 4.2 by itself: a notice in a transaction of its own.
function responses.notify(notice)
  return host.pg.transaction(function(tx) return responses.tell_driver(tx, notice) end)
end

local UPDATE = [[
  UPDATE responses SET status = $2, updated_at = now(), failure = $3,
    chat_id = coalesce($4, chat_id), message_id = coalesce($5, message_id),
    sent_at = CASE WHEN $2 = 'sent' THEN now() ELSE sent_at END,
    decided_at = CASE WHEN $6::text IS NULL THEN decided_at ELSE now() END, decided_by = coalesce($6, decided_by)
  WHERE id = $1::uuid RETURNING ]] .. COLUMNS

--- Take a locked row one legal step further and tell who must know. The caller commits, then calls `announce`.
--- @param step {status: string, failure: string?, chat_id: number?, message_id: number?, by: string?, by_id: string?,
---   quiet: boolean?}  quiet: the driver is not told
--- @return table? row
--- @return table? failure
function responses.move(tx, row, step)
  local moved, problem = tx:one(UPDATE, row.id, step.status, step.failure, step.chat_id, step.message_id, step.by)
  if not moved then return nil, problem end
  audit.write_in(tx, { action = "response.status_changed", actor_type = step.by_id and "telegram" or "system",
    actor_id = step.by_id, target_type = "response", target_id = row.id,
    details = { from = row.status, to = step.status, reason = step.failure } })
  if step.quiet then return moved end
  local told
  told, problem = responses.tell_driver(tx, { driver_id = row.driver_id, cargo_id = row.cargo_id,
    status = step.status, response_id = row.id })
  if not told then return nil, problem end
  return moved
end

--- Tell of a move that is committed.
function responses.announce(row)
  events.emit("response.status_changed",
    { response_id = row.id, driver_id = row.driver_id, cargo_id = row.cargo_id, status = row.status })
end

--- The row, locked to the end of the transaction.
--- @param by {id: string?, code: string?}
function responses.lock(tx, by)
  if by.id then
    return tx:one("SELECT " .. COLUMNS .. " FROM responses WHERE id = $1::uuid FOR UPDATE", by.id)
  end
  return tx:one("SELECT " .. COLUMNS .. " FROM responses WHERE code = $1 FOR UPDATE", by.code)
end

--- Where the newest message about a response stands.
function responses.note_message(tx, id, chat_id, message_id)
  return tx:query("UPDATE responses SET chat_id = $2, message_id = $3 WHERE id = $1::uuid", id, chat_id, message_id)
end

return responses
