--- What a driver may do beyond the free part, and until when. The ledger in Postgres is the truth (migration 0007): one
--- row of subscription_grants is one grant, and the database computes the new end.
---
--- A node keeps the end of a driver's access and compares it at every look, so access ends to the second. Every change
--- is told to all workers by NOTIFY once it is committed. A copy that cannot be confirmed is looked up again after
--- FRESH_FOR_S, and serves longer only while Postgres does not answer.
local host = host
local events = require "services.events"
local failure = require "kit.failure"
local flags = require "services.flags"
local rules = require "kit.rules"

local subscriptions = {}

local DAY_S = 86400
local FRESH_FOR_S = 30
local PATIENCE_MS = 2000      -- with a database that does not answer; what a driver looks at should not hang
local KEPT_FOR_MS = DAY_S * 1000
local CHANNEL = "subscriptions"
local CHANGES = "subscriptions:changes" -- counts changes, so that a copy read before one is not kept after it
local EPOCH = "subscriptions:epoch"     -- grows when changes may have been missed

local function key_of(driver_id)
  return "subscription:" .. driver_id
end

-- ---- the node's copy ----

--- Forget the node's copy: after commit, before telling the driver of it.
function subscriptions.forget(driver_id)
  host.shared.increment(CHANGES)
  host.shared.delete(key_of(driver_id))
end

--- Once a worker: hear of changes made anywhere.
function subscriptions.start()
  host.pg.listen(CHANNEL, function(driver_id)
    if driver_id then subscriptions.forget(driver_id) else host.shared.increment(EPOCH) end
  end)
end

local function epoch()
  return host.shared.get(EPOCH) or 0
end

-- "epoch read_at expires_at source", numbers first.
local function recall(driver_id)
  local text = host.shared.get(key_of(driver_id))
  if not text then return nil end
  local kept_epoch, read_at, expires_at, source = text:match "^(%d+) ([%d%.]+) ([%d%.]+) (%a*)$"
  local row = { expires_at = tonumber(expires_at), source = source }
  if row.expires_at == 0 then row = {} end
  local fresh = tonumber(kept_epoch) == epoch() and host.time.now() - tonumber(read_at) < FRESH_FOR_S
  return row, fresh
end

-- Kept first and taken back when something changed meanwhile: the other order could miss a change of another worker.
local function keep(driver_id, row, seen)
  host.shared.set(key_of(driver_id), ("%d %.3f %.6f %s"):format(seen.epoch, host.time.now(), row.expires_at or 0,
    row.source or ""), KEPT_FOR_MS)
  if (host.shared.get(CHANGES) or 0) ~= seen.changes then host.shared.delete(key_of(driver_id)) end
end

-- {expires_at, source}, both nil when there never was access.
local function look_up(driver_id)
  local kept, fresh = recall(driver_id)
  if fresh then return kept end
  local seen = { changes = host.shared.get(CHANGES) or 0, epoch = epoch() }
  local row, problem = host.task.with_deadline(PATIENCE_MS, function()
    return host.pg.one("SELECT expires_at, source FROM subscriptions WHERE driver_id = $1::bigint", driver_id)
  end)
  if problem then return kept, problem end
  row = row or {}
  keep(driver_id, row, seen)
  return row
end

-- ---- what it opens ----

local function features_of(driver_id, is_active)
  local features = rules.access.all { active = is_active }
  for name in pairs(features) do
    local said = flags.decides(name, driver_id, is_active)
    if said ~= nil then features[name] = said end
  end
  return features
end

local function describe(driver_id, row)
  local left_s = row.expires_at and row.expires_at - host.time.now() or 0
  local is_active = left_s > 0
  return {
    active = is_active, expires_at = row.expires_at and host.time.iso8601(row.expires_at) or nil,
    days_left = is_active and math.ceil(left_s / DAY_S) or 0, source = row.source,
    features = features_of(driver_id, is_active),
  }
end

--- The driver's subscription as /api/v1/me shows it. When it cannot be learnt, that of a driver without one and the
--- failure.
--- @return {active: boolean, expires_at: string?, days_left: integer, source: string?, features: table<string, boolean>}
--- @return table? failure  database_unavailable
function subscriptions.of(driver_id)
  local row, problem = look_up(driver_id)
  if row then return describe(driver_id, row) end
  return describe(driver_id, {}), failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 })
end

--- Has the driver access now?
--- @return boolean active
--- @return table? failure
function subscriptions.is_active(driver_id)
  local row, problem = look_up(driver_id)
  if not row then
    return false, failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 })
  end
  return row.expires_at ~= nil and row.expires_at > host.time.now()
end

-- ---- granting ----

--- Add days, once for each (source, source_id), in the caller's transaction. Call forget() after its commit.
--- @param grant {driver_id: string, source: string, source_id: string, days: integer}
--- @return {expires_before: number?, expires_after: number, days: integer}|false|nil given  false: it was given before
--- @return table? failure
function subscriptions.grant(tx, grant)
  local row, problem = tx:one([[
    INSERT INTO subscription_grants (driver_id, source, source_id, days) VALUES ($1::bigint, $2, $3, $4)
    ON CONFLICT (source, source_id) DO NOTHING
    RETURNING expires_before, expires_after, days]], grant.driver_id, grant.source, grant.source_id, grant.days)
  if problem then return nil, problem end
  return row or false
end

--- After the commit of a grant that gave access: whoever wants to know hears of it, this node at once.
--- @param expires_at number
function subscriptions.announce(driver_id, expires_at)
  subscriptions.forget(driver_id)
  events.emit("subscription.activated", { driver_id = driver_id, expires_at = host.time.iso8601(expires_at) })
end

--- Had the driver ever access? The driver's row stays locked, so the answer holds to the end of the transaction.
--- @return boolean?
--- @return table? failure
function subscriptions.ever_had(tx, driver_id)
  local row, problem = tx:one("SELECT id FROM drivers WHERE id = $1::bigint FOR NO KEY UPDATE", driver_id)
  if not row then return nil, problem or failure "unauthorized" end
  row, problem = tx:one([[
    SELECT EXISTS (SELECT FROM subscription_grants WHERE driver_id = $1::bigint AND days > 0)
        OR EXISTS (SELECT FROM subscriptions WHERE driver_id = $1::bigint) AS had]], driver_id)
  if not row then return nil, problem end
  return row.had
end

return subscriptions
