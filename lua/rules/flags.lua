-- Feature flags and their state until the panel changes them. Names are what /api/v1/me answers.

--- Is a flag on for a driver? `flag` is {enabled, rollout_percent, requires_subscription}; `driver` is
--- {bucket = 0..99, allowed = on the flag's list, subscribed = has access}.
local function is_on(flag, driver)
  if not flag.enabled then return false end
  if flag.requires_subscription and not driver.subscribed then return false end
  return driver.allowed or driver.bucket < flag.rollout_percent
end

return {
  defaults = {
    payments = true,        -- tariffs can be bought; switched off, access already bought stays
    promo_codes = true,     -- the promo form is shown
    responses = true,       -- the «Откликнуться» button is shown
  },
  is_on = is_on,

  examples = {
    { "is_on", { { enabled = true, rollout_percent = 30 }, { bucket = 29 } }, true },
    { "is_on", { { enabled = true, rollout_percent = 30 }, { bucket = 30 } }, false },
    { "is_on", { { enabled = true, rollout_percent = 0 }, { bucket = 0, allowed = true } }, true },
    { "is_on", { { enabled = false, rollout_percent = 100 }, { bucket = 0, allowed = true } }, false },
    { "is_on", { { enabled = true, rollout_percent = 100, requires_subscription = true }, { bucket = 0 } }, false },
  },
}
