--- Sessions of the panel: in Postgres only, so that ending one holds everywhere at once. The browser holds a random
--- token; the row holds its hash.
local failure = require "kit.failure"
local host = host

local admin_sessions = {}

local TOKEN_BYTES = 32
local IDLE_S = 3600
local LONGEST_S = 12 * 3600
local SLIDE_EVERY_S = 60

admin_sessions.idle_s = IDLE_S

local function hash_of(token)
  local bytes = token and #token < 100 and host.crypto.unbase64url(token)
  if not bytes or #bytes ~= TOKEN_BYTES then return nil end
  return host.pg.bytea(host.crypto.sha256(bytes))
end

--- Begin a session in the caller's transaction; the token is new whatever the browser held before.
--- @return {token: string, csrf: string}?
--- @return table? failure
function admin_sessions.begin(tx, admin_id, from)
  local bytes = host.crypto.random(TOKEN_BYTES)
  local csrf = host.crypto.base64url(host.crypto.random(TOKEN_BYTES))
  local ok, problem = tx:query([[
    INSERT INTO admin_sessions (token_hash, admin_id, csrf, expires_at, address, agent)
    VALUES ($1, $2, $3, now() + $4 * interval '1 second', $5::inet, $6)]],
    host.pg.bytea(host.crypto.sha256(bytes)), admin_id, csrf, IDLE_S, from.address, from.agent)
  if not ok then return nil, problem end
  ok, problem = tx:query("DELETE FROM admin_sessions WHERE expires_at < now()")
  if not ok then return nil, problem end
  return { token = host.crypto.base64url(bytes), csrf = csrf }
end

local function slide(hash)
  return host.pg.one([[
    UPDATE admin_sessions SET last_seen_at = now(),
      expires_at = least(now() + $2 * interval '1 second', created_at + $3 * interval '1 second')
    WHERE token_hash = $1 RETURNING expires_at]], hash, IDLE_S, LONGEST_S)
end

--- @return {id: integer, login: string, role: string, csrf: string, expires_at: number}?
--- @return table? failure  "unauthorized" or "database_unavailable"
function admin_sessions.check(token)
  local hash = hash_of(token)
  if not hash then return nil, failure "unauthorized" end
  local row, problem = host.pg.one([[
    SELECT a.id, a.login, a.role, s.csrf, s.expires_at, s.last_seen_at
    FROM admin_sessions s JOIN admins a ON a.id = s.admin_id
    WHERE s.token_hash = $1 AND s.expires_at > now() AND a.disabled_at IS NULL]], hash)
  if problem then return nil, failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 }) end
  if not row then return nil, failure "unauthorized" end
  if host.time.now() - row.last_seen_at > SLIDE_EVERY_S then
    local slid = slide(hash)
    if slid then row.expires_at = slid.expires_at end
  end
  return row
end

--- End one session. `db` is a transaction.
function admin_sessions.finish(db, token)
  local hash = hash_of(token)
  if not hash then return true end
  return db:query("DELETE FROM admin_sessions WHERE token_hash = $1", hash)
end

return admin_sessions
