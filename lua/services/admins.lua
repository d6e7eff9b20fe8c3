--- Accounts of the panel: who there is, and whether a login, password and code are theirs.
local audit = require "services.audit"
local failure = require "kit.failure"
local host = host
local secrets = require "services.secrets"
local totp = require "kit.totp"

local admins = {}

local COSTS = { n = 32768, r = 8, p = 1 }
local ATTEMPTS_A_MINUTE = 5
local SECRET_BYTES = 20

local function no_database(cause)
  return failure("database_unavailable", { text = tostring(cause), retry_after_s = 5 })
end

local function totp_context(login)
  return "admin totp " .. login
end

-- ---- accounts ----

local INSERT = [[
  INSERT INTO admins (login, role, password_hash, password_salt, scrypt_n, scrypt_r, scrypt_p, totp_sealed)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (login) DO NOTHING RETURNING id]]

local function insert(account, salt, sealed)
  local hash, problem = host.crypto.scrypt(account.password, salt, COSTS)
  if not hash then return nil, problem end
  return host.pg.transaction(function(tx)
    local row, why = tx:one(INSERT, account.login, account.role, host.pg.bytea(hash), host.pg.bytea(salt), COSTS.n,
      COSTS.r, COSTS.p, sealed and host.pg.bytea(sealed))
    if not row then return nil, why or failure "login_taken" end
    return audit.write_in(tx, { actor_type = "command", action = "admin.added", target_type = "admin",
      target_id = account.login, details = { role = account.role, totp = account.totp } })
  end)
end

--- @param account {login: string, password: string, role: "viewer"|"admin", totp: boolean}
--- @return {login: string, role: string, totp_url: string?}? added
--- @return table? failure  login_taken, encryption_key_missing
function admins.add(account)
  local secret, sealed = host.crypto.random(SECRET_BYTES), nil
  if account.totp then
    local why
    sealed, why = secrets.seal(secret, totp_context(account.login))
    if not sealed then return nil, why end
  end
  local added, problem = insert(account, host.crypto.random(16), sealed)
  if not added then return nil, problem end
  return { login = account.login, role = account.role, totp_url = account.totp and totp.url(secret, account.login) }
end

--- All accounts, oldest first.
--- @return table[]? list
--- @return table? failure
function admins.list()
  local rows, problem = host.pg.query [[
    SELECT login, role, totp_sealed IS NOT NULL AS totp, created_at, last_login_at, disabled_at
    FROM admins ORDER BY id]]
  if not rows then return nil, problem end
  local list = host.json.array {}
  for index, row in ipairs(rows) do list[index] = row end
  return list
end

--- Close an account and end its sessions at once.
--- @return boolean? done
--- @return table? failure  code "not_found"
function admins.disable(login)
  return host.pg.transaction(function(tx)
    local row, problem = tx:one(
      "UPDATE admins SET disabled_at = coalesce(disabled_at, now()) WHERE login = $1 RETURNING id", login)
    if not row then return nil, problem or failure "not_found" end
    local ended
    ended, problem = tx:query("DELETE FROM admin_sessions WHERE admin_id = $1", row.id)
    if not ended then return nil, problem end
    return audit.write_in(tx, { actor_type = "command", action = "admin.disabled", target_type = "admin",
      target_id = login, details = { sessions = ended.affected } })
  end)
end

-- ---- who may try ----

local COUNT_ATTEMPT = [[
  INSERT INTO admin_login_attempts AS kept (subject, attempts, since) VALUES ($1, 1, now())
  ON CONFLICT (subject) DO UPDATE SET
    attempts = CASE WHEN kept.since > now() - interval '1 minute' THEN kept.attempts + 1 ELSE 1 END,
    since = CASE WHEN kept.since > now() - interval '1 minute' THEN kept.since ELSE now() END
  RETURNING attempts, since + interval '1 minute' AS open_at]]

local function count_attempt(subject)
  local row, problem = host.pg.one(COUNT_ATTEMPT, subject)
  if not row then return nil, no_database(problem) end
  if row.attempts <= ATTEMPTS_A_MINUTE then return true end
  return nil, failure("login_locked", { open_at = row.open_at,
    retry_after_s = math.max(1, math.ceil(row.open_at - host.time.now())) })
end

-- A success gives the account a clean sheet; the address only gets its one attempt back, so that one good account does
-- not buy guesses at others.
local function forgive(account, address)
  host.pg.query("DELETE FROM admin_login_attempts WHERE subject = $1 OR since < now() - interval '1 day'", account)
  host.pg.query("UPDATE admin_login_attempts SET attempts = attempts - 1 WHERE subject = $1 AND attempts > 0", address)
end

-- ---- password and code ----

local function find(login)
  return host.pg.one([[
    SELECT id, login, role, password_hash, password_salt, scrypt_n, scrypt_r, scrypt_p, totp_sealed
    FROM admins WHERE login = $1 AND disabled_at IS NULL]], login)
end

-- An unknown login costs as much time as a known one.
local NOBODY = { password_hash = ("\0"):rep(32), password_salt = ("\0"):rep(16), scrypt_n = COSTS.n,
  scrypt_r = COSTS.r, scrypt_p = COSTS.p }

local function is_password(account, password)
  local hash, problem = host.crypto.scrypt(password, account.password_salt,
    { n = account.scrypt_n, r = account.scrypt_r, p = account.scrypt_p })
  if not hash then return nil, failure("overloaded", { text = tostring(problem), retry_after_s = 5 }) end
  return host.crypto.equal(hash, account.password_hash)
end

-- Uses the code up: the row decides between two logins with the same one. A failure when the code cannot be checked.
local function take_code(account, code)
  if not account.totp_sealed then return true end
  local secret, problem = secrets.open(account.totp_sealed, totp_context(account.login))
  if not secret then
    host.log.error("one-time secret cannot be opened", { login = account.login, failure = tostring(problem) })
    return nil, problem
  end
  local step = totp.find_step(secret, code, host.time.now(), 0)
  if not step then return false end
  return host.pg.one("UPDATE admins SET totp_last_step = $2 WHERE id = $1 AND totp_last_step < $2 RETURNING id",
    account.id, step) ~= nil
end

-- Which part was wrong is for nobody to learn; that no code can be checked, only for who knows the password.
local function prove(claim)
  local account, problem = find(claim.login)
  if problem then return nil, no_database(problem) end
  local right
  right, problem = is_password(account or NOBODY, claim.password)
  if problem then return nil, problem end
  if not account or not right then return nil, failure "login_refused" end
  local passed
  passed, problem = take_code(account, claim.code)
  if problem then return nil, problem end
  if not passed then return nil, failure "login_refused" end
  return account
end

--- Is it them? Counts the attempt by account and by address.
--- @param claim {login: string, password: string, code: string, address: string?}
--- @return {id: integer, login: string, role: string}? account
--- @return table? failure  "login_refused", "login_locked" with `open_at`, "encryption_key_missing", "database_unavailable"
function admins.check(claim)
  local by_account, by_address = "account:" .. claim.login, "address:" .. (claim.address or "local")
  for _, subject in ipairs { by_address, by_account } do
    local ok, problem = count_attempt(subject)
    if not ok then return nil, problem end
  end
  local account, problem = prove(claim)
  if not account then return nil, problem end
  forgive(by_account, by_address)
  return account
end

return admins
