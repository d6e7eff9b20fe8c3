--- The login route: contracts 1.1 and 1.2 in a row, with their limits.
local audit = require "services.audit"
local check_init_data = require "contracts.auth.check_init_data"
local contract = require "kit.contract"
local create_session = require "contracts.auth.create_session"
local rate_limit = require "services.rate_limit"
local alerts = require "services.alerts"
local host = host

local ALERT_PER_MINUTE = 10

-- Many refusals in a minute: an attack, or a wrong bot token.
local function note_failure(problem, context)
  rate_limit.take("login_failure", context.address or "unknown")
  local minute = math.floor(host.time.now() / 60)
  local count = host.shared.increment(("login_failures:%s:%d"):format(problem.reason or "", minute), 1, 120000)
  if count > ALERT_PER_MINUTE then
    alerts.raise("login_failures", "more than 10 logins a minute are refused for one reason",
      { reason = problem.reason })
  end
  audit.write_later({ action = "driver.login_refused", actor_type = "driver",
    details = { reason = problem.reason } }, context)
end

local function shown(session)
  return {
    session_token = session.token, token_type = "Bearer", expires_in = session.expires_in,
    driver = {
      id = session.driver.id, first_name = session.driver.first_name, username = session.driver.username,
    },
  }
end

local function begin(driver, context)
  local passed, limited = rate_limit.take("login", driver.id)
  if not passed then return nil, limited end
  local session, problem = create_session(driver, context)
  if not session then return nil, problem end
  context.driver_id, context.sid = session.driver.id, session.sid
  context.driver, context.start_param = session.driver, driver.start_param
  context.fresh_token = session.token
  return shown(session)
end

local output = {
  session_token = { type = "string" }, token_type = { type = "string" }, expires_in = { type = "integer" },
  driver = { type = "object", fields = {
    id = { type = "string" }, first_name = { type = "string" }, username = { type = "string", nullable = true },
  } },
}
local errors = {
  init_data_invalid = 401, init_data_expired = 401, rate_limited = 429, database_unavailable = 503, not_found = 404,
}

local login = {}

login.telegram = contract {
  name = "auth.login", access = "public",
  about = "Log in by Telegram's initData, in the body or as `Authorization: tma <initData>`.",
  input = { init_data = { type = "string", required = true, trim = false, max_length = 16384 } },
  output = output, errors = errors,

  run = function(input, context)
    local passed, limited = rate_limit.peek("login_failure", context.address or "unknown")
    if not passed then return nil, limited end
    local driver, problem = check_init_data(input)
    if not driver then
      note_failure(problem, context)
      return nil, problem
    end
    return begin(driver, context)
  end,
}

login.development = contract {
  name = "auth.development_login", access = "public",
  about = "Log in as any driver: development only, from this machine only (FURA_DEV_LOGIN=on).",
  input = { id = { type = "integer", required = true, min = 1, max = 2 ^ 52 - 1 }, first_name = { type = "string" } },
  output = output, errors = errors,

  run = function(input, context)
    if not host.config.dev_login or host.config.env == "production" or not context.is_local then
      return nil, "not_found"
    end
    local id = ("%.0f"):format(input.id)
    return begin({ id = id, first_name = input.first_name or ("Водитель " .. id), language_code = "ru" }, context)
  end,
}

return login
