--- What is to be said outside, as rows: written in the transaction that decided it, delivered by services/outbox_sender.lua.
local host = host
local jobs = require "services.jobs"

local outbox = {}

local UPDATES_KEPT_D = 7

--- Queue an entry and wake the sender when the transaction commits.
--- @param tx PgTransaction
--- @param entry {kind: string, chat_key: string, payload: table?, response_id: string?}
function outbox.add(tx, entry)
  local row, problem = tx:one([[
    INSERT INTO outbox (kind, chat_key, payload, response_id) VALUES ($1, $2, $3, $4::uuid) RETURNING id]],
    entry.kind, entry.chat_key, host.pg.json(entry.payload or {}), entry.response_id)
  if not row then return nil, problem end
  return jobs.wake(tx, "outbox.send")
end

-- ---- for the sender, which is alone (services/leases.lua) ----

--- What was being sent when a sender died may have arrived.
function outbox.recover()
  return host.pg.query [[
    UPDATE outbox SET state = 'waiting', uncertain = true, last_error = 'the process died while sending'
    WHERE state = 'sending']]
end

--- The first open entry of each chat, nearest first: {id, chat_key, in_s}.
function outbox.heads()
  return host.pg.query [[
    SELECT id, chat_key, extract(epoch FROM next_at - clock_timestamp())::float8 AS in_s FROM (
      SELECT DISTINCT ON (chat_key) id, chat_key, state, next_at FROM outbox
      WHERE state IN ('waiting', 'sending') ORDER BY chat_key, id) AS first
    WHERE state = 'waiting' ORDER BY next_at LIMIT 200]]
end

--- When something was tried during the last `seconds`: {chat_key, age_s}.
function outbox.tried_lately(seconds)
  return host.pg.query([[
    SELECT chat_key, extract(epoch FROM clock_timestamp() - tried_at)::float8 AS age_s FROM outbox
    WHERE tried_at > statement_timestamp() - $1 * interval '1 second' ORDER BY tried_at]], seconds)
end

--- Mark an attempt as begun, before the world is asked: so that a death in between is known.
--- @return table? entry  {id, kind, chat_key, payload, response_id, attempts, uncertain}
function outbox.claim(id)
  return host.pg.one([[
    UPDATE outbox SET state = 'sending', attempts = attempts + 1, tried_at = clock_timestamp()
    WHERE id = $1 AND state = 'waiting'
    RETURNING id, kind, chat_key, payload, response_id::text, attempts, uncertain]], id)
end

function outbox.settle(tx, entry)
  return tx:query("UPDATE outbox SET state = 'sent', sent_at = now(), last_error = NULL WHERE id = $1", entry.id)
end

--- @param again {in_s: number, error: string, counts: boolean, uncertain: boolean?}
function outbox.put_back(tx, entry, again)
  return tx:query([[
    UPDATE outbox SET state = 'waiting', next_at = clock_timestamp() + $2 * interval '1 second', last_error = $3,
      attempts = attempts - $4, uncertain = uncertain OR $5
    WHERE id = $1]], entry.id, again.in_s, again.error, again.counts and 0 or 1, again.uncertain or false)
end

function outbox.bury(tx, entry, error_text)
  return tx:query("UPDATE outbox SET state = 'dead', last_error = $2 WHERE id = $1", entry.id, error_text)
end

--- Depth and age, for metrics and the panel. A driver who blocked the bot is nobody's trouble: not counted as dead.
--- @return {waiting: integer, dead: integer, oldest_s: number}?
function outbox.depth()
  return host.pg.one [[
    SELECT open.waiting, gone.dead, open.oldest_s
    FROM (SELECT count(*) AS waiting, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest_s
          FROM outbox WHERE state IN ('waiting', 'sending')) AS open,
         (SELECT count(*) AS dead FROM outbox WHERE state = 'dead'
            AND NOT (chat_key ~ '^[0-9]+$' AND last_error LIKE '%telegram_forbidden%')) AS gone]]
end

local REPORT_MS = 5000

-- On every node, whoever sends: a figure that only the sender's node wrote would grow old on the others.
local function report()
  if not host.pg.is_up() or not host.shared.add("outbox:reported", true, REPORT_MS - 100) then return end
  local depth = outbox.depth()
  if not depth then return end
  host.metrics.gauge("outbox_waiting", depth.waiting)
  host.metrics.gauge("outbox_dead", depth.dead)
  host.metrics.gauge("outbox_oldest_seconds", depth.oldest_s)
end

--- Once a worker.
function outbox.start()
  host.timer.every(REPORT_MS, report)
end

-- ---- for people ----

--- Try a dead entry again, with all its attempts.
--- @return boolean? found
--- @return table? failure
function outbox.retry(id)
  return host.pg.transaction(function(tx)
    local row, problem = tx:one([[
      UPDATE outbox SET state = 'waiting', attempts = 0, next_at = now() WHERE id = $1 AND state = 'dead'
      RETURNING kind, response_id::text]], id)
    if not row then return problem == nil and false or nil, problem end
    if row.kind == "response" then
      tx:query("UPDATE responses SET status = 'queued', failure = NULL WHERE id = $1::uuid AND status = 'failed'",
        row.response_id)
    end
    jobs.wake(tx, "outbox.send")
    return true
  end)
end

--- The job outbox.clean.
function outbox.clean()
  local messages, problem = host.pg.query([[
    DELETE FROM outbox WHERE state IN ('sent', 'dead') AND created_at < now() - $1 * interval '1 day']],
    host.config.retention.outbox_d)
  if not messages then return nil, problem end
  local updates
  updates, problem = host.pg.query(
    "DELETE FROM telegram_updates WHERE received_at < now() - $1 * interval '1 day'", UPDATES_KEPT_D)
  if not updates then return nil, problem end
  return { messages = messages.affected, updates = updates.affected }
end

return outbox
