--- Whose session of the panel is it?
local contract = require "kit.contract"
local admin_access = require "services.admin_access"

return contract {
  name = "admin.check_session", about = "The account behind the panel's cookie.", access = "public",
  input = { token = { type = "string" } },
  errors = { unauthorized = 401 },
  run = function(input) return admin_access.check(input.token) end,
}
