--- A driver's access token: 32 random bytes that read cargo lists while the subscription lasts, and nothing else.
--- Stored twice: hashed to look it up, encrypted to show it again.
local host = host
local failure = require "kit.failure"
local secrets = require "services.secrets"
local subscriptions = require "services.subscriptions"

local access_tokens = {}

local BYTES = 32
local SHAPE = "^[%w%-_]+$"
local LENGTH = 43
local TRUSTED_FOR_MS = 900 -- a revoked one dies within a second

local function no_database(problem)
  return nil, failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 })
end

local function context_of(driver_id)
  return "access token of " .. driver_id
end

local function shared_key(hash)
  return "access_token:" .. host.crypto.hex(hash)
end

--- Does it look like one? Session tokens have dots.
function access_tokens.is_one(token)
  return #token == LENGTH and token:find(SHAPE) ~= nil
end

--- Whose token is this?
--- @return string? driver_id
--- @return table? failure  unauthorized also when the access has ended
function access_tokens.check(token)
  local hash = host.crypto.sha256(token)
  local driver_id = host.shared.get(shared_key(hash))
  if not driver_id then
    local row, problem = host.pg.one("SELECT driver_id::text FROM subscriptions WHERE token_hash = $1",
      host.pg.bytea(hash))
    if problem then return no_database(problem) end
    if not row then return nil, failure "unauthorized" end
    driver_id = row.driver_id
    host.shared.set(shared_key(hash), driver_id, TRUSTED_FOR_MS)
  end
  local is_active, problem = subscriptions.is_active(driver_id)
  if problem then return nil, problem end
  if not is_active then return nil, failure "unauthorized" end
  return driver_id
end

-- What is stored of a new token; nil and a failure without a key to encrypt it by.
local function make(driver_id)
  local token = host.crypto.base64url(host.crypto.random(BYTES))
  local sealed, problem = secrets.seal(token, context_of(driver_id))
  if not sealed then return nil, problem end
  return token, host.pg.bytea(host.crypto.sha256(token)), host.pg.bytea(sealed)
end

local STORE = [[
  UPDATE subscriptions SET token_hash = $2, token_sealed = $3, token_created_at = now()
  WHERE driver_id = $1::bigint]]

--- Give a token to a driver who has none, in the transaction that gives access. Without a key there is none to give:
--- the access matters more.
function access_tokens.ensure(tx, driver_id)
  local token, hash, sealed = make(driver_id)
  if not token then return true end
  return tx:query(STORE .. " AND token_hash IS NULL", driver_id, hash, sealed)
end

--- @return {token: string, created_at: number}? shown  nil without a failure: there is none
--- @return table? failure
function access_tokens.show(driver_id)
  local row, problem = host.pg.one([[
    SELECT token_sealed, token_created_at FROM subscriptions
    WHERE driver_id = $1::bigint AND token_sealed IS NOT NULL]], driver_id)
  if problem then return no_database(problem) end
  if not row then return nil end
  local token
  token, problem = secrets.open(row.token_sealed, context_of(driver_id))
  if not token then return nil, problem end
  return { token = token, created_at = row.token_created_at }
end

--- A new token instead of the one before.
--- @return {token: string, created_at: number}?
--- @return table? failure
function access_tokens.replace(driver_id)
  local token, hash, sealed = make(driver_id)
  if not token then return nil, hash end
  local row, problem = host.pg.one(STORE .. " RETURNING token_created_at", driver_id, hash, sealed)
  if not row then return no_database(problem or "no subscription to hold it") end
  return { token = token, created_at = row.token_created_at }
end

--- @return boolean?
--- @return table? failure
function access_tokens.revoke(driver_id)
  local done, problem = host.pg.query([[
    UPDATE subscriptions SET token_hash = NULL, token_sealed = NULL, token_created_at = NULL
    WHERE driver_id = $1::bigint]], driver_id)
  if not done then return no_database(problem) end
  return true
end

return access_tokens
