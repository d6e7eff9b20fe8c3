--- Contract 1.4: have a token for CargoTech, logging in when there is none.
local cargo_token = require "services.cargo_token"
local contract = require "kit.contract"

return contract {
  name = "auth.login_cargo_api", number = "1.4", access = "internal",
  about = "Make sure the shared account has a token; one login at a time everywhere.",
  input = {},
  output = { age_s = { type = "integer", nullable = true } },
  errors = { upstream_auth_failed = 502, upstream_unavailable = 502 },

  run = function()
    local token, problem = cargo_token.get()
    if not token then return nil, problem end
    return { age_s = cargo_token.age_s() }
  end,
}
