--- Calls to YooKassa. A POST carries a key, so that asking again after silence is the same payment: an unknown outcome is
--- asked once more under the same key before giving up.
---
--- Failures: `gateway_unavailable` (nothing is known; with `unknown` set, it may have happened), `gateway_refused` (a
--- definite no, `status` of the answer in `answered`), `not_found`, `encryption_key_missing`.
local host = host
local alerts = require "services.alerts"
local breaker = require "services.breaker"
local failure = require "kit.failure"
local settings = require "services.settings"

local yookassa = {}

local SERVICE = "yookassa"
local READ_TIMEOUT_MS = 5000
local POST_TIMEOUT_MS = 8000
local ATTEMPTS = 2
local PAUSE_MS = 300
local PAGE_SIZE = 100
local MAX_PAGES = 50

local function unavailable(text, details)
  local made = failure("gateway_unavailable", { service = SERVICE, text = text, retry_after_s = 5 })
  for key, value in pairs(details or {}) do made[key] = value end
  return made
end

--- The shop we are; nil without one.
function yookassa.shop_id()
  return settings.get "yookassa.shop_id" or host.config.yookassa.shop_id
end

-- A key that is stored and cannot be opened is not replaced by that of the environment: it may be another shop's.
local function authorization()
  local stored, problem = settings.get "yookassa.secret_key"
  if problem then return nil, problem end
  local shop_id = yookassa.shop_id()
  local key = stored or host.config.yookassa.secret_key
  if not shop_id or not key then return nil end
  return "Basic " .. host.crypto.base64(shop_id .. ":" .. key)
end

--- Do we know who we are there?
function yookassa.is_configured()
  return authorization() ~= nil
end

local function send(call, secret)
  local url = host.config.yookassa.api_url .. call.path
  if call.query then url = url .. "?" .. host.http.encode_query(call.query) end
  local timeout_ms = call.method == "POST" and POST_TIMEOUT_MS or READ_TIMEOUT_MS
  local left_ms = host.task.remaining_ms() or timeout_ms
  local answer, problem = host.http.request {
    method = call.method or "GET", url = url, timeout_ms = math.max(1, math.floor(math.min(timeout_ms, left_ms))),
    headers = {
      Authorization = secret, Accept = "application/json", ["Idempotence-Key"] = call.key,
      ["Content-Type"] = call.body and "application/json" or nil,
    },
    body = call.body,
  }
  host.metrics.count("upstream_calls_total", { service = SERVICE, status = answer and tostring(answer.status) or "none" })
  if answer then host.metrics.observe("upstream_seconds", answer.took_ms / 1000, { service = SERVICE }) end
  return answer, problem
end

-- What an answer means. Only a 4xx but 429 is a definite no; everything unreadable leaves the outcome unknown.
local function judge(answer, problem)
  if not answer then return nil, unavailable(tostring(problem), { unknown = true, broken = true }) end
  local status = answer.status
  if status == 200 then
    local body = host.json.decode(answer.body)
    if type(body) == "table" then return body end
    return nil, unavailable("an answer that is not JSON", { unknown = true, broken = true })
  end
  if status == 429 then return nil, unavailable("too many requests", { limited = true }) end
  if status == 404 then return nil, failure("not_found", { service = SERVICE, text = "unknown to the gateway" }) end
  if status >= 400 and status < 500 then
    if status == 401 or status == 403 then
      alerts.raise("gateway_credentials", "YooKassa refuses our shop id or key: check them in the panel", { status = status })
    end
    return nil, failure("gateway_refused", { service = SERVICE, answered = status, text = "answered " .. status })
  end
  return nil, unavailable("answered " .. status, { unknown = true, broken = true })
end

local function ask(call)
  local secret, problem = authorization()
  if problem then
    alerts.raise("encryption_key_missing", "the shop's key in the settings cannot be opened, so nothing is sold: " .. problem.text, {})
    return nil, problem
  end
  if not secret then
    alerts.raise("gateway_credentials", "no YooKassa shop id or key: set them in the panel or the environment", {})
    return nil, unavailable "no shop id or key"
  end
  local open = breaker.allow(SERVICE)
  if not open then return nil, unavailable "breaker is open" end
  local body, why = judge(send(call, secret))
  if body or not why.broken then breaker.succeeded(SERVICE) else breaker.failed(SERVICE) end
  return body, why
end

-- Again under the same key while the outcome is unknown. `unknown` stays set once any attempt may have been taken.
local function post(path, body, key)
  local call = { method = "POST", path = path, body = host.json.encode(body, { sorted = true }), key = key }
  local was_unknown = false
  for attempt = 1, ATTEMPTS do
    local object, why = ask(call)
    if object then return object end
    was_unknown = was_unknown or why.unknown or false
    if not why.unknown or attempt == ATTEMPTS then
      why.unknown = was_unknown
      return nil, why
    end
    host.task.sleep(PAUSE_MS)
  end
end

--- @param body table  as E2 of their documents
--- @param key string  the same for the same payment
--- @return table? payment
--- @return table? failure
function yookassa.create_payment(body, key)
  return post("/payments", body, key)
end

function yookassa.create_refund(body, key)
  return post("/refunds", body, key)
end

--- @return table? payment
--- @return table? failure  not_found when the gateway does not know it
function yookassa.payment(id)
  return ask { path = "/payments/" .. host.http.escape(id) }
end

function yookassa.refund(id)
  return ask { path = "/refunds/" .. host.http.escape(id) }
end

-- Call `each(object)` for everything listed since a time; stops when it returns true.
local function walk(path, since, query, each)
  local asked = { limit = PAGE_SIZE, ["created_at.gte"] = host.time.iso8601(since, nil, 3) }
  for key, value in pairs(query or {}) do asked[key] = value end
  for _ = 1, MAX_PAGES do
    local page, problem = ask { path = path, query = asked }
    if not page then return nil, problem end
    for _, object in ipairs(type(page.items) == "table" and page.items or {}) do
      if each(object) then return true end
    end
    if type(page.next_cursor) ~= "string" then return true end
    asked.cursor = page.next_cursor
  end
  host.log.warn("the gateway's list is longer than we read", { path = path, pages = MAX_PAGES })
  return true
end

function yookassa.each_payment(since, query, each)
  return walk("/payments", since, query, each)
end

function yookassa.each_refund(since, each)
  return walk("/refunds", since, nil, each)
end

--- Who does the gateway say we are? For the deep health check.
function yookassa.me()
  return ask { path = "/me" }
end

return yookassa
