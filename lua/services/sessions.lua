--- Sessions of drivers. Postgres is the truth: one live session a driver. Redis holds its id under
--- driver:{id}:session to answer quickly, and the node's shared memory holds it for less than a second more.
---
--- When Redis was away, ids may have changed meanwhile: what changed is written to it again before it is trusted.
local host = host
local drivers = require "services.drivers"
local failure = require "kit.failure"
local jwt = require "services.jwt"

local sessions = {}

local TTL_S = 86400
local REFRESH_BELOW_S = 14400
local SLIDE_EVERY_MS = 60000
local TRUSTED_FOR_MS = 900        -- a revocation on another node is seen within a second
local DOUBT = "sessions:redis_doubted_since"
local DOUBTS = "sessions:doubts"    -- counts causes, so that a repair knows of a new one
local LAST_GOOD = "sessions:redis_good_at"
local DOUBT_MARGIN_S = 3600       -- a restarted Redis may hold data that old

local function redis_key(driver_id)
  return "driver:" .. driver_id .. ":session"
end

local function shared_key(driver_id)
  return "session:" .. driver_id
end

local function no_database(cause)
  return failure("database_unavailable", { text = tostring(cause), retry_after_s = 5 })
end

-- ---- may Redis be believed? ----

local function doubt_redis(cause)
  host.shared.increment(DOUBTS)
  if host.shared.add(DOUBT, host.shared.get(LAST_GOOD) or host.time.now()) then
    host.log.warn("sessions are checked in Postgres until Redis is back", { failure = tostring(cause) })
  end
end

local function write_current(row)
  if row.live then return host.redis.command("SET", redis_key(row.driver_id), row.live, "EX", TTL_S) end
  return host.redis.command("DEL", redis_key(row.driver_id))
end

-- Write again what changed since Redis was last known to be good. nil and a failure when that cannot be done now.
local function repair(since)
  local rows, problem = host.pg.query([[
    SELECT changed.driver_id::text, live.id AS live
    FROM (SELECT DISTINCT driver_id FROM sessions
          WHERE greatest(created_at, revoked_at) > to_timestamp($1)) AS changed
    LEFT JOIN sessions AS live ON live.driver_id = changed.driver_id AND live.revoked_at IS NULL]],
    since - DOUBT_MARGIN_S)
  if not rows then return nil, problem end
  for _, row in ipairs(rows) do
    local reply, why = write_current(row)
    if reply == nil and why then return nil, why end
  end
  return #rows
end

local function repair_once(since)
  local doubts = host.shared.get(DOUBTS)
  local count, problem = repair(since)
  if not count then
    host.log.warn("sessions not repaired yet", { failure = tostring(problem) })
    return false
  end
  if host.shared.get(DOUBTS) ~= doubts then return false end
  host.shared.delete(DOUBT)
  host.log.info("sessions repaired in Redis", { drivers = count })
  return true
end

--- True when Redis holds what Postgres says; repairs it first when there is doubt.
local function redis_is_trusted()
  local since = host.shared.get(DOUBT)
  if not since then return true end
  if not host.redis.is_up() then return false end
  return host.task.single_flight("sessions.repair", function() return repair_once(since) end)
end

--- Once a worker: a connection that was lost may come back to another Redis than before.
function sessions.watch_redis()
  host.redis.subscribe("fura:sessions", function(message)
    if message == nil then doubt_redis("reconnected") end
  end)
end

-- ---- looking up ----

local function remember(driver_id, sid)
  host.shared.set(shared_key(driver_id), sid, TRUSTED_FOR_MS)
end

local REPLACE = [[
  local now = redis.call("GET", KEYS[1])
  if (now or "") == ARGV[1] then redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[3]) return 1 end
  return 0]]

-- What Postgres says of a session. FOR SHARE waits for a login that is just ending it.
local function check_in_postgres(driver_id, sid)
  local row, problem = host.pg.one([[
    SELECT revoked_at IS NULL AS live, revoked_reason FROM sessions
    WHERE id = $1::uuid AND driver_id = $2::bigint FOR SHARE]], sid, driver_id)
  if problem then return nil, no_database(problem) end
  if not row then return nil, failure "unauthorized" end
  if row.live then return true end
  return nil, failure(row.revoked_reason == "replaced" and "session_replaced" or "unauthorized")
end

local FORGET = 'if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0'

-- Redis disagrees or knows nothing: Postgres decides, and Redis is told unless it changed meanwhile. Asked again after
-- the write, because a logout may have come between.
local function settle(driver_id, sid, found)
  local ok, problem = check_in_postgres(driver_id, sid)
  if not ok then return nil, problem end
  if host.redis.eval(REPLACE, { redis_key(driver_id) }, { found or "", sid, TTL_S }) ~= 1 then return true end
  ok, problem = check_in_postgres(driver_id, sid)
  if not ok then host.redis.eval(FORGET, { redis_key(driver_id) }, { sid }) end
  return ok, problem
end

local function look_up(driver_id, sid)
  if not redis_is_trusted() then return check_in_postgres(driver_id, sid) end
  local found, problem = host.redis.command("GET", redis_key(driver_id))
  if problem then
    doubt_redis(problem)
    return check_in_postgres(driver_id, sid)
  end
  if found == sid then return true end
  return settle(driver_id, sid, found)
end

local function slide(driver_id, sid)
  if not host.shared.add("slide:" .. sid, true, SLIDE_EVERY_MS) then return end
  host.shared.set(LAST_GOOD, host.time.now())
  host.task.spawn(function() host.redis.command("EXPIRE", redis_key(driver_id), TTL_S) end)
end

--- Is this session the driver's live one? nil and "unauthorized", "session_replaced" or "database_unavailable".
local function is_live(driver_id, sid)
  if host.shared.get(shared_key(driver_id)) == sid then return true end
  local ok, problem = look_up(driver_id, sid)
  if not ok then return nil, problem end
  remember(driver_id, sid)
  slide(driver_id, sid)
  return true
end

-- ---- tokens ----

local DEVELOPMENT_KEY = "session:development_key"
local configured = host.config.session.secret
local made_up = {}

if not configured and host.config.allow_public_development then
  error("session.secret: is missing (expected SESSION_SECRET of at least 32 bytes, because allow_public_development "
    .. "lets others in, got nothing)", 0)
end

--- Keys of tokens, newest first. Production refuses to start without its own; a development server that has none makes
--- one up, which its workers share and which dies with it.
--- @return string[]
function sessions.secrets()
  if configured then return configured end
  host.shared.add(DEVELOPMENT_KEY, made_up[1] or host.crypto.hex(host.crypto.random(32)))
  local key = host.shared.get(DEVELOPMENT_KEY) or made_up[1]
  if key ~= made_up[1] then made_up = { key } end
  return made_up
end

local function token_for(driver_id, sid, now)
  return jwt.sign({ sub = driver_id, sid = sid, iat = now, exp = now + TTL_S }, sessions.secrets())
end

--- Whose token it is by its signature and its time alone: asks nobody, so the session may have ended.
--- @param token string?
--- @return string? driver_id
function sessions.driver_of(token)
  local claims = token and jwt.verify(token, sessions.secrets(), math.floor(host.time.now()))
  return claims and claims.sub
end

--- @param token string?
--- @return {driver_id: string, sid: string, refreshed_token: string?}? session
--- @return table? failure
function sessions.check(token)
  local now = math.floor(host.time.now())
  local claims = token and jwt.verify(token, sessions.secrets(), now)
  if not claims then return nil, failure "unauthorized" end
  local ok, problem = is_live(claims.sub, claims.sid)
  if not ok then return nil, problem end
  local session = { driver_id = claims.sub, sid = claims.sid }
  if claims.exp - now < REFRESH_BELOW_S then session.refreshed_token = token_for(claims.sub, claims.sid, now) end
  return session
end

-- ---- beginning and ending ----

local function insert_session(tx, driver_id, sid, from)
  local ok, problem = tx:query([[
    UPDATE sessions SET revoked_at = now(), revoked_reason = 'replaced'
    WHERE driver_id = $1::bigint AND revoked_at IS NULL]], driver_id)
  if not ok then return nil, problem end
  return tx:query([[
    INSERT INTO sessions (id, driver_id, address, agent) VALUES ($1::uuid, $2::bigint, $3::inet, $4)]],
    sid, driver_id, from.address, from.agent)
end

local function write_new(driver_id, sid)
  local reply, why = host.redis.command("SET", redis_key(driver_id), sid, "EX", TTL_S)
  if reply == nil then doubt_redis(why) end
end

--- Begin the driver's one session: the row of the driver is created or refreshed, an earlier session ends.
--- @param driver {id: string, first_name: string?, last_name: string?, username: string?, language_code: string?}
--- @param from {address: string?, agent: string?}
--- @return {token: string, expires_in: integer, driver: table, sid: string}?
--- @return table? failure
function sessions.begin(driver, from)
  local sid = host.crypto.uuid()
  local saved, problem = host.pg.transaction(function(tx)
    local row, why = drivers.save_login(tx, driver)
    if not row then return nil, why end
    local ok
    ok, why = insert_session(tx, row.id, sid, from)
    if not ok then return nil, why end
    write_new(row.id, sid) -- under the driver's row lock, so that two logins cannot cross
    return row
  end)
  if not saved then return nil, no_database(problem) end
  drivers.remember(saved)
  remember(saved.id, sid)
  local token = token_for(saved.id, sid, math.floor(host.time.now()))
  return { token = token, expires_in = TTL_S, driver = saved, sid = sid }
end

--- End the driver's live session everywhere.
--- @param reason "logout"|"admin"|"forgotten"
--- @return boolean?
--- @return table? failure
function sessions.finish(driver_id, reason)
  local ok, problem = host.pg.query([[
    UPDATE sessions SET revoked_at = now(), revoked_reason = $2
    WHERE driver_id = $1::bigint AND revoked_at IS NULL]], driver_id, reason)
  if not ok then return nil, no_database(problem) end
  host.shared.delete(shared_key(driver_id))
  local reply, why = host.redis.command("DEL", redis_key(driver_id))
  if reply == nil then doubt_redis(why) end
  return true
end

--- The job sessions.clean: ended sessions go after their retention. One that nobody ended stays, for it may be in use; where it
--- came from is forgotten.
--- @return {deleted: integer, cleared: integer}?
--- @return table? failure
function sessions.clean()
  local deleted, problem = host.pg.query([[
    DELETE FROM sessions WHERE greatest(created_at, revoked_at) < now() - $1 * interval '1 day' AND revoked_at IS NOT NULL]],
    host.config.retention.sessions_d)
  if not deleted then return nil, problem end
  local cleared
  cleared, problem = host.pg.query([[
    UPDATE sessions SET address = NULL, agent = NULL
    WHERE greatest(created_at, revoked_at) < now() - $1 * interval '1 day' AND revoked_at IS NULL
      AND (address IS NOT NULL OR agent IS NOT NULL)]], host.config.retention.sessions_d)
  if not cleared then return nil, problem end
  return { deleted = deleted.affected, cleared = cleared.affected }
end

return sessions
