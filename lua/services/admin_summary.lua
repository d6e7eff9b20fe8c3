--- The first page of the panel: a few numbers of a period beside those of the one before, days, what needs a person.
local breaker = require "services.breaker"
local failure = require "kit.failure"
local host = host
local outbox = require "services.outbox"

local admin_summary = {}

local REFRESH_MS = 10000

local function one(sql, ...)
  local values, count = { ... }, select("#", ...)
  return function() return host.pg.one(sql, unpack(values, 1, count)) end
end

local IN_PERIOD = [[
  SELECT (SELECT coalesce(sum(amount_kopecks), 0)::bigint FROM payments
          WHERE paid_at >= to_timestamp($1) AND paid_at < to_timestamp($2))
       - (SELECT coalesce(sum(amount_kopecks), 0)::bigint FROM refunds
          WHERE status = 'succeeded' AND updated_at >= to_timestamp($1) AND updated_at < to_timestamp($2)) AS revenue,
    (SELECT count(*) FROM responses WHERE created_at >= to_timestamp($1) AND created_at < to_timestamp($2)) AS responses,
    (SELECT count(*) FROM drivers WHERE created_at >= to_timestamp($1) AND created_at < to_timestamp($2)) AS drivers]]

-- A day at a time, so that each is a range of the index: neither a day computed for every payment nor a sort of them all.
local BY_DAY = [[
  SELECT to_char(day, 'YYYY-MM-DD') AS day, paid, refunded, responses
  FROM generate_series(to_timestamp($1) AT TIME ZONE $3, to_timestamp($2) AT TIME ZONE $3 - interval '1 hour', '1 day') AS day,
    LATERAL (SELECT coalesce(sum(amount_kopecks), 0)::bigint AS paid FROM payments
      WHERE paid_at >= day AT TIME ZONE $3 AND paid_at < (day + interval '1 day') AT TIME ZONE $3) AS of_payments,
    LATERAL (SELECT coalesce(sum(amount_kopecks), 0)::bigint AS refunded FROM refunds WHERE status = 'succeeded'
      AND updated_at >= day AT TIME ZONE $3 AND updated_at < (day + interval '1 day') AT TIME ZONE $3) AS of_refunds,
    LATERAL (SELECT count(*) AS responses FROM responses
      WHERE created_at >= day AT TIME ZONE $3 AND created_at < (day + interval '1 day') AT TIME ZONE $3) AS of_responses
  WHERE paid > 0 OR refunded > 0 OR responses > 0 ORDER BY 1]]

local ATTENTION = [[
  SELECT (SELECT count(*) FROM payments WHERE status IN ('pending', 'waiting_for_capture') AND superseded_at IS NULL
            AND created_at < now() - interval '1 hour' AND created_at > now() - interval '2 days') AS stuck,
    (SELECT count(*) FROM payment_inbox WHERE outcome IN ('mismatch', 'dead')
            AND received_at > now() - interval '7 days') AS mismatches,
    (SELECT count(*) FROM job_runs WHERE outcome = 'failed') AS jobs]]

local function ask(period)
  local length = period.to - period.from
  local answers = host.task.all {
    one(IN_PERIOD, period.from, period.to),
    one(IN_PERIOD, period.from - length, period.from),
    function() return host.pg.query(BY_DAY, period.from, period.to, host.config.timezone) end,
    one "SELECT count(*) AS active FROM subscriptions WHERE expires_at > now()",
    one [[SELECT CASE WHEN reltuples > 100000 THEN reltuples::bigint ELSE (SELECT count(*) FROM drivers) END AS total
          FROM pg_class WHERE oid = 'drivers'::regclass]], -- of many, an estimate will do
    one(ATTENTION),
    outbox.depth,
  }
  for _, answer in ipairs(answers) do
    if not answer[1] then
      return nil, failure("database_unavailable", { text = tostring(answer[2]), retry_after_s = 5 })
    end
  end
  answers[3][1].affected = nil -- of the rows as a plain list, which the node keeps as JSON
  return { now = answers[1][1], before = answers[2][1], days = answers[3][1], active = answers[4][1].active,
    drivers = answers[5][1].total, attention = answers[6][1], outbox = answers[7][1] }
end

local function last_reload()
  local answers = host.script.ask_master { command = "status" }
  local status = answers and answers[#answers]
  return status and status.reloads and status.reloads[1]
end

--- @param period {from: number, to: number}
function admin_summary.of(period)
  local key = ("%d-%d"):format(period.from, period.to)
  local kept = host.shared.get("admin:summary:" .. key)
  local summary = kept and host.json.decode(kept)
  if not summary then
    local problem
    summary, problem = host.task.single_flight("admin summary " .. key, function() return ask(period) end)
    if not summary then return nil, problem end
    host.shared.set("admin:summary:" .. key, host.json.encode(summary), REFRESH_MS)
  end
  local reload = last_reload()
  summary.health = { cargotech = breaker.state "cargotech", yookassa = breaker.state "yookassa",
    redis = host.redis.is_up(), postgres = host.pg.is_up() }
  summary.reload_rejected = reload ~= nil and not reload.ok
  return summary
end

return admin_summary
