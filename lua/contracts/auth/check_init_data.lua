--- Contract 1.1: is this initData Telegram's, recent, and by a person?
local contract = require "kit.contract"
local failure = require "kit.failure"
local init_data = require "services.init_data"
local host = host

-- Only the log and the counters learn why; a client learns one of two codes.
local function refuse(reason)
  host.metrics.count("login_failures_total", { reason = reason })
  host.log.info("init data refused", { reason = reason })
  return nil, failure(reason == "expired" and "init_data_expired" or "init_data_invalid", { reason = reason })
end

return contract {
  name = "auth.check_init_data", number = "1.1", access = "internal",
  about = "Check initData of the Mini App and say who the driver is.",
  input = {
    init_data = { type = "string", required = true, trim = false, max_length = 16384, about = "as Telegram gave it" },
    max_age_s = { type = "integer", min = 60, max = 2147483647, about = "INIT_DATA_MAX_AGE by default" },
  },
  output = {
    id = { type = "string" }, first_name = { type = "string" }, last_name = { type = "string", nullable = true },
    username = { type = "string", nullable = true }, language_code = { type = "string", nullable = true },
    auth_date = { type = "integer" }, start_param = { type = "string", nullable = true },
  },
  errors = { init_data_invalid = 401, init_data_expired = 401 },

  run = function(input)
    local telegram = host.config.telegram
    local driver, reason = init_data.check(input.init_data, {
      bot_token = telegram.bot_token, trusted_bots = telegram.trusted_bots,
      keys = init_data.telegram_keys(host.config.env == "production"),
      now = math.floor(host.time.now()), max_age_s = input.max_age_s or host.config.init_data_max_age_s,
    })
    if not driver then return refuse(reason) end
    return driver
  end,
}
