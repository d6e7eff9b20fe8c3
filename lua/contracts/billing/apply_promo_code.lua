--- Contract 5.4, second half: a driver uses a promo code.
local contract = require "kit.contract"
local promo_codes = require "services.promo_codes"
local host = host

return contract {
  name = "billing.apply_promo_code", number = "5.4", access = "driver",
  about = "Use a promo code: once a driver, never more often than it allows.",
  input = { code = { type = "string", required = true, max_length = 255 } },
  output = { days_added = { type = "integer" }, expires_at = { type = "string" } },
  errors = {
    promo_not_found = 404, promo_already_used = 409, promo_not_started = 409, promo_exhausted = 409,
    trial_not_available = 409, promo_expired = 410, unauthorized = 401, database_unavailable = 503,
  },

  run = function(input, context)
    local applied, problem = promo_codes.apply(context.driver_id, input.code, context)
    if not applied then return nil, problem end
    return { days_added = applied.days_added, expires_at = host.time.iso8601(applied.expires_at) }
  end,
}
