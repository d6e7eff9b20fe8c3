--- Work that only one process of the whole cluster may do at a time: held by a row in Postgres, renewed while the work
--- runs. When its holder dies, the lease is free within LIFE_MS.
---
--- The holder stops its work before the row can expire, by its own clock: so whoever takes a lease knows that nothing
--- of the work before is still under way, unless a whole process stood still.
local host = host
local failure = require "kit.failure"

local leases = {}

local LIFE_MS = 6000
local RENEW_MS = 1500
local QUERY_MS = 1400

local TAKE = [[
  INSERT INTO leases (name, owner, expires_at) VALUES ($1, $2::uuid, clock_timestamp() + $3 * interval '1 millisecond')
  ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
  WHERE leases.expires_at <= clock_timestamp()
  RETURNING name]]

local RENEW = [[
  UPDATE leases SET expires_at = clock_timestamp() + $3 * interval '1 millisecond'
  WHERE name = $1 AND owner = $2::uuid RETURNING name]]

local function ask(sql, name, owner)
  return host.task.with_deadline(QUERY_MS, function() return host.pg.one(sql, name, owner, LIFE_MS) end)
end

-- Renew until cancelled; cancel the work when the lease is lost, or might be before the next renewal.
local function keep(name, owner, taken_ms, work)
  local good_ms = taken_ms
  while true do
    host.task.sleep(RENEW_MS)
    local asked_ms = host.time.monotonic_ms()
    local row, problem = ask(RENEW, name, owner)
    if row then good_ms = asked_ms end
    local left_ms = LIFE_MS - (host.time.monotonic_ms() - good_ms)
    if not row and not problem or left_ms < RENEW_MS + QUERY_MS then
      host.log.warn("lease lost, its work is stopped", { lease = name, failure = tostring(problem or "taken") })
      work:cancel()
      return
    end
  end
end

--- Run `fn` while holding the lease. Yields.
--- @param name string
--- @param fn fun(): any, Failure?
--- @param options? {deadline_ms: integer?}
--- @return any result  what fn returned
--- @return table? failure  "lease_taken" when another holds it, "cancelled" when it was lost, or the failure of fn
function leases.with(name, fn, options)
  local owner, taken_ms = host.crypto.uuid(), host.time.monotonic_ms()
  local row, problem = ask(TAKE, name, owner)
  if not row then return nil, problem or failure("lease_taken", { service = "leases", text = "another process is at it: " .. name }) end
  local work = host.task.spawn_with(
    { label = name, detached = false, deadline_ms = options and options.deadline_ms }, fn)
  local keeper = host.task.spawn_with({ label = name .. " lease", detached = false }, keep, name, owner, taken_ms, work)
  local result, why = work:join()
  keeper:cancel()
  host.pg.query("DELETE FROM leases WHERE name = $1 AND owner = $2::uuid", name, owner)
  return result, why
end

return leases
