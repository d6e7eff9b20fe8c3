--- Calls to CargoTech with the shared account: within the account's limit, retried within the caller's deadline, behind
--- a breaker, and with one new login when the token has died.
local host = host
local alerts = require "services.alerts"
local breaker = require "services.breaker"
local cargo_token = require "services.cargo_token"
local failure = require "kit.failure"
local nodes = require "services.nodes"
local token_bucket = require "services.token_bucket"

local cargo_api = {}

local SERVICE = "cargotech"
local RETRY_PAUSES_MS = { 500, 1500, 3000 }
local DEFAULT_DEADLINE_MS = 10000
local CALL_TIMEOUT_MS = 10000

-- 600 calls a minute for the whole account, a few left for logins: in no minute can more leave than the burst and what
-- flows in.
local CALLS_PER_MINUTE = 590
local BURST = 60
local PER_SECOND = (CALLS_PER_MINUTE - BURST) / 60
local BACKGROUND_RESERVE = BURST / 2

local function remaining_ms()
  return host.task.remaining_ms() or DEFAULT_DEADLINE_MS
end

local function unavailable(text, details)
  local made = failure("upstream_unavailable", { service = SERVICE, text = text })
  for key, value in pairs(details or {}) do made[key] = value end
  return made
end

-- CargoTech said when to come back: nobody of this node asks before.
local HOLD = "cargotech:hold"
local LONGEST_HOLD_MS = 60000

local function held_ms()
  local held, left_ms = host.shared.get(HOLD)
  return held and left_ms or nil
end

local function hold(pause_ms)
  host.shared.set(HOLD, true, math.ceil(math.min(LONGEST_HOLD_MS, pause_ms)))
end

-- Milliseconds to wait before a call may leave; nil: now. Background work leaves half of the burst to drivers.
local function limiter_wait_ms(is_background)
  local wait_ms = held_ms()
  if wait_ms then return wait_ms end
  local passed
  passed, wait_ms = token_bucket.take(
    { key = "cargotech:limiter", rate = PER_SECOND, burst = BURST, node_share = nodes.count() },
    { reserve = is_background and BACKGROUND_RESERVE or 0 })
  return not passed and wait_ms or nil
end

-- Drivers wait for the account's limit as long as their deadline lets them, background work does not.
local function pass_limiter(is_background)
  while true do
    local wait_ms = limiter_wait_ms(is_background)
    if not wait_ms then return true end
    if is_background or wait_ms >= remaining_ms() then
      host.metrics.count("upstream_limited_total", { service = SERVICE })
      return nil, unavailable("over the account's limit", { limited = true })
    end
    host.task.sleep(math.max(1, wait_ms))
  end
end

local function send(call, token)
  local url = host.config.cargotech.api_url .. call.path
  if call.query then url = url .. "?" .. host.http.encode_query(call.query) end
  local answer, problem = host.http.request {
    url = url, timeout_ms = math.min(CALL_TIMEOUT_MS, math.max(1, math.floor(remaining_ms()))),
    headers = { Authorization = "Bearer " .. token, Accept = "application/json" },
  }
  host.metrics.count("upstream_calls_total", { service = SERVICE, status = answer and tostring(answer.status) or "none" })
  if answer then host.metrics.observe("upstream_seconds", answer.took_ms / 1000, { service = SERVICE }) end
  return answer, problem
end

-- ---- what an answer means ----

local RETRIED = { [429] = true, [502] = true, [503] = true, [504] = true }

-- When the limit is reset comes with every answer, and is a wait only for who is over it.
local function pause_asked_ms(answer)
  local seconds = tonumber(answer.headers["retry-after"])
    or answer.status == 429 and tonumber(answer.headers["x-ratelimit-reset-after"])
  return seconds and seconds > 0 and seconds * 1000 or nil
end

-- Decoded body of a 200, else nil and a failure with `retry` and `pause_ms`, or `token_died`.
local function judge(answer, problem)
  if not answer then
    local is_trouble = problem.code ~= "replay" -- `fura replay` calls nobody, and waits for nobody
    return nil, unavailable(tostring(problem), { retry = is_trouble, broken = is_trouble })
  end
  local status = answer.status
  if status == 200 then
    local body = host.json.decode(answer.body, { max_bytes = 8 * 1024 * 1024 })
    if type(body) == "table" then return body end
    return nil, unavailable("an answer that is not JSON", { retry = true, broken = true })
  end
  if status == 401 then return nil, unavailable("token refused", { token_died = true }) end
  if status == 403 then
    alerts.raise("cargotech_forbidden", "CargoTech forbids a call: is the account suspended?", { status = status })
    return nil, failure("upstream_auth_failed", { service = SERVICE, text = "forbidden" })
  end
  if status == 404 then return nil, failure("not_found", { service = SERVICE, text = "not found upstream" }) end
  local retry = RETRIED[status] or false
  local pause_ms = retry and pause_asked_ms(answer) or nil
  if status == 429 and pause_ms then hold(pause_ms) end
  return nil, unavailable("answered " .. status, { retry = retry, broken = retry or status >= 500, pause_ms = pause_ms })
end

local function note_outcome(body, why)
  if body then cargo_token.accepted() end
  if body or not why.broken then breaker.succeeded(SERVICE) else breaker.failed(SERVICE) end
end

-- What a call needs before it may leave: room in the limit and a token.
local function admit(call)
  local passed, limited = pass_limiter(call.background)
  if not passed then return nil, limited end
  return cargo_token.get()
end

-- One call through breaker and limiter. `why.was_current`: the refused token was the one everybody uses.
local function attempt(call)
  local open, wait_ms = breaker.allow(SERVICE)
  if not open then return nil, unavailable("breaker is open", { retry_after_s = wait_ms / 1000 }) end
  local token, problem = admit(call)
  if not token then
    breaker.abandoned(SERVICE)
    return nil, problem
  end
  local answer, trouble = send(call, token)
  local body, why = judge(answer, trouble)
  note_outcome(body, why)
  if body then return body, nil, answer.body end
  if why.token_died then why.was_current = cargo_token.drop(token) end
  return nil, why
end

-- With one new login when the token has died.
local function attempt_authorised(call)
  local body, why, text = attempt(call)
  if body or not why.token_died then return body, why, text end
  body, why, text = attempt(call)
  if body or not why.token_died then return body, why, text end
  if why.was_current then cargo_token.refused_after_login() end
  alerts.raise("cargotech_token_refused", "CargoTech refuses a token right after login", {})
  return nil, failure("upstream_auth_failed", { service = SERVICE, text = "token refused twice" })
end

local function pause_before(retry, why)
  local planned = RETRY_PAUSES_MS[retry] * (0.8 + 0.4 * math.random())
  return math.max(planned, why.pause_ms or 0)
end

--- GET a path. Deadline: the task's, else 10 s. In the background it is tried once: the next driver tries again.
--- @param call {path: string, query: table?, background: boolean?}
--- @return table? body      decoded
--- @return table? failure   upstream_unavailable, upstream_auth_failed or not_found
--- @return string? text     the body as it came
function cargo_api.get(call)
  for retry = 1, #RETRY_PAUSES_MS + 1 do
    local body, why, text = attempt_authorised(call)
    if body then return body, nil, text end
    if not why.retry or call.background or retry > #RETRY_PAUSES_MS then return nil, why end
    local pause_ms = pause_before(retry, why)
    if pause_ms >= remaining_ms() then return nil, why end
    host.task.sleep(pause_ms)
  end
end

--- GET what has `data`, as the text it came in. `may_be_gone`: not found is an answer, not an outage.
--- @param call {path: string, query: table?, background: boolean?, may_be_gone: boolean?}
--- @return string? text
--- @return table? failure
function cargo_api.fetch(call)
  local body, why, text = cargo_api.get(call)
  if not body then
    if why.code == "not_found" and not call.may_be_gone then return nil, unavailable("not found: " .. call.path) end
    return nil, why
  end
  if type(body.data) ~= "table" then return nil, unavailable("no data: " .. call.path) end
  return text
end

--- For the deep health check and `fura token check`.
function cargo_api.me()
  return cargo_api.get { path = "/v1/me" }
end

return cargo_api
