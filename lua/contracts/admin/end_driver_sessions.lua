--- Throw a driver's session out everywhere.
local admin_drivers = require "services.admin_drivers"
local promise = require "contracts.admin.promise"

return promise {
  name = "admin.end_driver_sessions", about = "End the sessions of a driver.", role = "admin",
  input = { id = { type = "string", required = true, pattern = "^%d+$", max_length = 18 } },
  run = function(input, context)
    local done, problem = admin_drivers.end_sessions(input.id, context)
    if not done then return nil, problem end
    return {}
  end,
}
