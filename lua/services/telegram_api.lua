--- Calls to the Bot API, and what its answers mean.
---
--- A failure's code says what to do: telegram_busy (wait `wait_s`), telegram_moved (to `chat_id`), telegram_forbidden and
--- telegram_refused (never for this chat, or this call), telegram_misconfigured (nothing works until somebody acts),
--- telegram_unreachable (try again; `uncertain` when the call may have been carried out all the same).
local host = host
local failure = require "kit.failure"

local telegram_api = {}

local SERVICE = "telegram"
local TIMEOUT_MS = 10000
local DEFAULT_WAIT_S = 5
local MAX_WAIT_S = 86400

local function made(code, text, more)
  local problem = failure(code, { service = SERVICE, text = text })
  for key, value in pairs(more or {}) do problem[key] = value end
  return problem
end

-- Failures of the HTTP client that came before anything was sent.
local NOT_SENT = { dns_failed = true, connect_failed = true, tls_failed = true, overloaded = true }

-- The address of a call holds the token, so a failure's own text is not repeated.
local function no_answer(problem)
  return made("telegram_unreachable", problem.code, { uncertain = not NOT_SENT[problem.code] })
end

local function wait_of(body, text)
  local parameters = type(body.parameters) == "table" and body.parameters or {}
  local wait_s = tonumber(parameters.retry_after) or tonumber(text:match "retry after (%d+)") or DEFAULT_WAIT_S
  return math.max(1, math.min(wait_s, MAX_WAIT_S))
end

local function judge_bad_request(body, text)
  local parameters = type(body.parameters) == "table" and body.parameters or {}
  if tonumber(parameters.migrate_to_chat_id) then
    return nil, made("telegram_moved", text, { chat_id = tonumber(parameters.migrate_to_chat_id) })
  end
  if text:find("message is not modified", 1, true) then return true end
  return nil, made("telegram_refused", text)
end

local MISCONFIGURED = { [401] = true, [404] = true, [409] = true }

--- What an answer means.
--- @param status integer
--- @param body any  decoded; nil when it is not JSON
--- @return any result
--- @return table? failure
function telegram_api.judge(status, body)
  if type(body) ~= "table" or body.ok == nil then
    return nil, made("telegram_unreachable", "answered " .. status .. " without JSON of its own", { uncertain = true })
  end
  if body.ok == true then return body.result ~= nil and body.result or true end
  local text = type(body.description) == "string" and body.description or "answered " .. status
  if status == 400 then return judge_bad_request(body, text) end
  if status == 403 then return nil, made("telegram_forbidden", text) end
  if status == 429 then return nil, made("telegram_busy", text, { wait_s = wait_of(body, text) }) end
  if MISCONFIGURED[status] then return nil, made("telegram_misconfigured", text) end
  if status >= 500 then return nil, made("telegram_unreachable", text, { uncertain = true }) end
  return nil, made("telegram_refused", text)
end

--- Call a method. Yields.
--- @param method string
--- @param params table
--- @param timeout_ms? integer
--- @return any result
--- @return table? failure
function telegram_api.call(method, params, timeout_ms)
  local settings = host.config.telegram
  if not settings.bot_token then return nil, made("telegram_misconfigured", "TELEGRAM_BOT_TOKEN is not set") end
  local answer, problem = host.http.request {
    url = ("%s/bot%s/%s"):format((settings.api_url:gsub("/+$", "")), settings.bot_token, method),
    method = "POST", timeout_ms = timeout_ms or TIMEOUT_MS,
    headers = { ["Content-Type"] = "application/json", Accept = "application/json" },
    body = host.json.encode(params),
  }
  local status = answer and tostring(answer.status) or "none"
  host.metrics.count("upstream_calls_total", { service = SERVICE, status = status })
  if not answer then return nil, no_answer(problem) end
  host.metrics.observe("upstream_seconds", answer.took_ms / 1000, { service = SERVICE })
  return telegram_api.judge(answer.status, (host.json.decode(answer.body)))
end

return telegram_api
