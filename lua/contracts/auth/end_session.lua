--- Logout: the session is dead everywhere.
local audit = require "services.audit"
local contract = require "kit.contract"
local sessions = require "services.sessions"

return contract {
  name = "auth.end_session", access = "driver",
  about = "End the driver's session on all devices.",
  input = {}, output = {},
  errors = { database_unavailable = 503 },

  run = function(_, context)
    local ok, problem = sessions.finish(context.driver_id, "logout")
    if not ok then return nil, problem end
    audit.write_later({ action = "driver.logout", actor_type = "driver", actor_id = context.driver_id,
      target_type = "session", target_id = context.sid }, context)
    return {}
  end,
}
