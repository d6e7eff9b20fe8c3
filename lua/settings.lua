--- The application's settings beyond the core's own: names, types, defaults, variables. What each is for stands in
--- conf/default.lua, the manual; a test holds the two together.
---
--- type      string, integer, boolean, url, listen_list, cidr_list, list, integer_list, base64_32, table
--- default   as the environment would write it; absent = unset
--- env       the variable that wins over the conf file; NAME_FILE works as well
--- min, max, unit, min_bytes, one_of "a|b", schemes "https|http", allow_any ("*" among networks)
--- secret    never shown; `strong` too: we chose it ourselves, so production refuses a guessable one
--- restart   read once at start; environment_only: not in a file
--- required_in_production, refused_in_production = value
--- check     function(value, conf) returning what is wrong, or nil; conf(key) gives other values
--- advise    the same for what is legal but unwise: `fura check` warns

local DAY_S = 86400

local function is_production(conf)
  return conf "env" == "production"
end

local function check_chat_id(id)
  if id == 0 then return "is no chat (expected a non-zero integer, groups are negative, got 0)" end
end

local function check_bot_token(token)
  if not token:find "^%d+:." then return "is no bot token (expected digits:text as BotFather gives it)" end
end

local function check_url_safe(text)
  if #text > 256 or text:find "[^%w_-]" then
    return "has wrong characters (expected at most 256 of A-Z a-z 0-9 _ -)"
  end
end

local function advise_https(url, conf)
  if is_production(conf) and not url:find "^https://" then
    return "is not https: Telegram opens the app by https only"
  end
end

local function advise_signing_proxy(secret, conf)
  if secret and is_production(conf) then
    return "is set, and YooKassa itself signs nothing: only notifications through a signing proxy will pass"
  end
end

local function advise_missing(consequence)
  return function(value, conf)
    if value == nil and is_production(conf) then return "is missing: " .. consequence end
  end
end

return {
  ["webapp_url"] = {
    type = "url", default = "http://127.0.0.1:8080/", env = "WEBAPP_URL", advise = advise_https,
  },
  ["session.secret"] = {
    type = "list", min_bytes = 32, env = "SESSION_SECRET", secret = true, strong = true, required_in_production = true,
  },
  ["settings_encryption_key"] = {
    type = "base64_32", env = "SETTINGS_ENCRYPTION_KEY", secret = true, strong = true, required_in_production = true,
  },
  ["init_data_max_age_s"] = {
    type = "integer", default = DAY_S, min = 60, max = 2147483647, unit = "seconds", env = "INIT_DATA_MAX_AGE",
  },
  ["rate_limits"] = { type = "boolean", default = true, env = "FURA_RATE_LIMITS", refused_in_production = false },
  ["dev_login"] = { type = "boolean", default = false, env = "FURA_DEV_LOGIN", refused_in_production = true },

  ["telegram.bot_token"] = {
    type = "string", env = "TELEGRAM_BOT_TOKEN", secret = true, required_in_production = true, check = check_bot_token,
  },
  ["telegram.api_url"] = { type = "url", default = "https://api.telegram.org", env = "TELEGRAM_API_URL" },
  ["telegram.responses_chat_id"] = {
    type = "integer", env = "TELEGRAM_RESPONSES_CHAT_ID", check = check_chat_id,
    advise = advise_missing "responses of drivers reach nobody",
  },
  ["telegram.alerts_chat_id"] = {
    type = "integer", env = "TELEGRAM_ALERTS_CHAT_ID", check = check_chat_id,
    advise = advise_missing "alerts stay in the log",
  },
  ["telegram.webhook_secret"] = {
    type = "string", env = "TELEGRAM_WEBHOOK_SECRET", secret = true, strong = true, required_in_production = true,
    check = check_url_safe,
  },
  ["telegram.trusted_bots"] = { type = "integer_list", default = "" },

  ["cargotech.api_url"] = { type = "url", default = "https://api.cargotech.pro", env = "CARGOTECH_API_URL" },
  ["cargotech.phone"] = {
    type = "string", env = "CARGOTECH_PHONE", secret = true, environment_only = true,
    advise = advise_missing "the cargo API cannot be used",
  },
  ["cargotech.password"] = {
    type = "string", env = "CARGOTECH_PASSWORD", secret = true, environment_only = true,
    advise = advise_missing "the cargo API cannot be used",
  },
  ["cargotech.token_cache_ttl_s"] = {
    type = "integer", default = DAY_S, min = 1, max = 365 * DAY_S, unit = "seconds", env = "CARGOTECH_TOKEN_CACHE_TTL",
  },

  ["yookassa.api_url"] = { type = "url", default = "https://api.yookassa.ru/v3", env = "YOOKASSA_API_URL" },
  ["yookassa.shop_id"] = { type = "string", env = "YOOKASSA_SHOP_ID" },
  ["yookassa.secret_key"] = { type = "string", env = "YOOKASSA_SECRET_KEY", secret = true },
  ["yookassa.webhook_secret"] = {
    type = "string", env = "YOOKASSA_WEBHOOK_SECRET", secret = true, strong = true, advise = advise_signing_proxy,
  },
  ["yookassa.webhook_path_key"] = {
    type = "string", env = "YOOKASSA_WEBHOOK_PATH_KEY", secret = true, strong = true, check = check_url_safe,
  },
  ["yookassa.allowed_ips"] = {
    type = "cidr_list", env = "YOOKASSA_ALLOWED_IPS", allow_any = true, refused_in_production = "*",
    default = "185.71.76.0/27,185.71.77.0/27,77.75.153.0/25,77.75.156.11,77.75.156.35,77.75.154.128/25,2a02:5180::/32",
  },

  ["cache.list_s"] = { type = "integer", default = 300, min = 1, max = 7 * DAY_S, unit = "seconds" },
  ["cache.detail_s"] = { type = "integer", default = 900, min = 1, max = 7 * DAY_S, unit = "seconds" },
  ["cache.points_s"] = { type = "integer", default = DAY_S, min = 1, max = 30 * DAY_S, unit = "seconds" },
  ["cache.stale_s"] = { type = "integer", default = DAY_S, min = 0, max = 30 * DAY_S, unit = "seconds" },

  ["retention.sessions_d"] = { type = "integer", default = 90, min = 1, max = 36500, unit = "days" },
  ["retention.inbox_d"] = { type = "integer", default = 180, min = 1, max = 36500, unit = "days" },
  ["retention.outbox_d"] = { type = "integer", default = 180, min = 1, max = 36500, unit = "days" },
  ["retention.audit_months"] = { type = "integer", default = 36, min = 1, max = 1200, unit = "months" },
}
