-- Feature flags and their state until the panel changes them. Names are what /api/v1/me answers.
return {
  defaults = {
    payments = true,        -- tariffs can be bought
    promo_codes = true,     -- the promo form is shown
    responses = true,       -- the «Откликнуться» button is shown
  },
}
