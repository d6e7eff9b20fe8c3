--- End the panel's session.
local admin_access = require "services.admin_access"
local promise = require "contracts.admin.promise"

return promise {
  name = "admin.log_out", about = "End this session of the panel.", role = "viewer",
  run = function(_, context) return admin_access.log_out(context) end,
}
