--- The panel's login: login, password and code together; a new session each time, whatever the browser held before.
local contract = require "kit.contract"
local admin_access = require "services.admin_access"

return contract {
  name = "admin.log_in", about = "Begin a session of the panel.", access = "public",
  input = {
    login = { type = "string", required = true, max_length = 64 },
    password = { type = "string", required = true, max_length = 200, trim = false },
    code = { type = "string", default = "", max_length = 16 },
  },
  errors = { login_refused = 401, login_locked = 429, encryption_key_missing = 503 },
  run = function(input, context)
    return admin_access.log_in({ login = input.login:lower(), password = input.password,
      code = input.code:gsub("%s", ""), replaces = context.admin_token }, context)
  end,
}
