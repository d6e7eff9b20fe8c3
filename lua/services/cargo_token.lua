--- The account's token at CargoTech: cached in Redis, obtained by one login at a time across all workers and nodes.
--- A refused login pauses all of them, longer each time, so that the account is not locked.
local host = host
local alerts = require "services.alerts"
local audit = require "services.audit"
local breaker = require "services.breaker"
local failure = require "kit.failure"
local locks = require "services.locks"

local cargo_token = {}

local KEY = "cargotech:api:token"
local LOCK = "cargotech:login"
local PAUSE = "cargotech:login:pause"
local REFUSALS = "cargotech:login:refusals"
local LOGIN_TIMEOUT_MS = 10000
local SHARED_MS = 1000
local POLL_MS = 100
local MAX_PAUSE_S = 900

-- ---- the cached token ----

-- Second copy for the time without Redis.
local function keep(token, ttl_s)
  host.shared.set("cargotech:token", token, SHARED_MS)
  host.shared.set("cargotech:token:node", token, ttl_s * 1000)
end

--- The cached token without logging in; nil when there is none.
function cargo_token.cached()
  local token = host.shared.get "cargotech:token"
  if token then return token end
  local found, problem = host.redis.command("GET", KEY)
  if problem then return host.shared.get "cargotech:token:node" end
  if found then keep(found, host.config.cargotech.token_cache_ttl_s) end
  return found
end

--- Seconds since the cached token was obtained; nil when there is none.
function cargo_token.age_s()
  local left_ms = host.redis.command("PTTL", KEY)
  if type(left_ms) ~= "number" or left_ms < 0 then return nil end
  return math.max(0, math.floor(host.config.cargotech.token_cache_ttl_s - left_ms / 1000))
end

local DROP = 'if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0'

--- Forget a token that CargoTech refused, unless another has taken its place.
--- @return boolean dropped  it was the one everybody uses
function cargo_token.drop(token)
  local was_shared = false
  for _, key in ipairs { "cargotech:token", "cargotech:token:node" } do
    if host.shared.get(key) == token then
      host.shared.delete(key)
      was_shared = true
    end
  end
  local dropped, problem = host.redis.eval(DROP, { KEY }, { token })
  if problem then return was_shared end
  return dropped == 1
end

--- Forget the token and any pause: the next call logs in.
function cargo_token.reset()
  host.shared.delete "cargotech:token"
  host.shared.delete "cargotech:token:node"
  host.shared.delete(PAUSE)
  return host.redis.command("DEL", KEY, PAUSE, REFUSALS)
end

-- ---- the pause after refusals ----

local function paused_ms()
  local left = host.redis.command("PTTL", PAUSE)
  if type(left) == "number" then return left > 0 and left or nil end
  local _, node_left = host.shared.get(PAUSE)
  return node_left
end

-- This node knows of refusals: the next call that passes forgets them.
local TROUBLED = "cargotech:login:troubled"

local function pause_after_refusal()
  local refusals = host.redis.command("INCR", REFUSALS) or host.shared.increment(REFUSALS, 1, 86400000)
  local pause_s = math.min(MAX_PAUSE_S, 2 ^ math.min(refusals - 1, 20))
  host.redis.command("EXPIRE", REFUSALS, 86400)
  host.redis.command("SET", PAUSE, refusals, "PX", pause_s * 1000)
  host.shared.set(PAUSE, true, pause_s * 1000)
  host.shared.set(TROUBLED, true)
  return pause_s
end

--- A token was refused although it had just been given: that is a refused login, and as dangerous to repeat.
function cargo_token.refused_after_login()
  local pause_s = pause_after_refusal()
  host.log.warn("CargoTech refuses the token of a new login", { pause_s = pause_s })
end

--- A call passed: the account is well.
function cargo_token.accepted()
  if not host.shared.get(TROUBLED) then return end
  for _, key in ipairs { TROUBLED, PAUSE, REFUSALS } do host.shared.delete(key) end
  host.redis.command("DEL", PAUSE, REFUSALS)
end

-- ---- logging in ----

local function note_attempt(outcome, status)
  host.metrics.count("cargotech_logins_total", { outcome = outcome })
  audit.write_later { action = "cargotech.login", target_type = "upstream", target_id = "cargotech",
    details = { outcome = outcome, status = status } }
end

local function refused(status)
  local pause_s = pause_after_refusal()
  note_attempt("refused", status)
  alerts.raise("cargotech_login_refused", "CargoTech refuses the account: check CARGOTECH_PHONE and CARGOTECH_PASSWORD",
    { status = status, pause_s = pause_s })
  return nil, failure("upstream_auth_failed", { service = "cargotech", text = "login refused", paused = true })
end

local function post_login()
  local settings = host.config.cargotech
  return host.http.request {
    method = "POST", url = settings.api_url .. "/v1/auth/login", timeout_ms = LOGIN_TIMEOUT_MS,
    headers = { ["Content-Type"] = "application/json", Accept = "application/json" },
    body = host.json.encode { phone = settings.phone, password = settings.password, remember = true },
  }
end

local function read_token(answer)
  local body = answer.status == 200 and host.json.decode(answer.body)
  local data = type(body) == "table" and body.data
  local token = type(data) == "table" and data.token
  if type(token) == "string" and token ~= "" and not token:find "[%c%s]" then return token end
end

local function unavailable(status, text)
  note_attempt("unavailable", status)
  breaker.failed "cargotech"
  return nil, failure("upstream_unavailable", { service = "cargotech", text = text, retry = true })
end

local function log_in()
  local answer, problem = post_login()
  if not answer then return unavailable(nil, tostring(problem)) end
  if answer.status == 401 or answer.status == 403 or answer.status == 422 then return refused(answer.status) end
  local token = read_token(answer)
  if not token then return unavailable(answer.status, "login answered " .. answer.status) end
  local ttl_s = host.config.cargotech.token_cache_ttl_s
  host.redis.command("SET", KEY, token, "EX", ttl_s)
  keep(token, ttl_s)
  host.shared.set(TROUBLED, true) -- refusals may have been another node's
  note_attempt("ok", answer.status)
  return token
end

local function is_paused()
  if not paused_ms() then return nil end
  return failure("upstream_auth_failed", { service = "cargotech", text = "login is paused", paused = true })
end

-- Another may have logged in while we waited for the lock.
local function log_in_unless_done()
  local token = cargo_token.cached()
  if token then return token end
  return log_in()
end

local function log_in_alone()
  local owner = host.crypto.uuid()
  local give_up_at = host.time.monotonic_ms() + LOGIN_TIMEOUT_MS
  repeat
    local paused = is_paused()
    if paused then return nil, paused end
    if locks.take(LOCK, owner) then
      local token, problem = locks.hold(LOCK, owner, log_in_unless_done)
      locks.free(LOCK, owner)
      return token, problem
    end
    host.task.sleep(POLL_MS)
    local token = cargo_token.cached()
    if token then return token end
  until host.time.monotonic_ms() > give_up_at
  return nil, failure("upstream_unavailable", { service = "cargotech", text = "login of another worker took too long" })
end

--- A token to call with: the cached one, else by logging in.
--- @return string? token
--- @return table? failure  upstream_auth_failed (refused or paused) or upstream_unavailable
function cargo_token.get()
  local token = cargo_token.cached()
  if token then return token end
  if (host.config.cargotech.phone or "") == "" or (host.config.cargotech.password or "") == "" then
    return nil, failure("upstream_auth_failed", { service = "cargotech", text = "no CARGOTECH_PHONE or _PASSWORD" })
  end
  return host.task.single_flight("cargotech.login", log_in_alone)
end

return cargo_token
