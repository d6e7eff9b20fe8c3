--- One driver with subscription, payments, responses, sessions.
local admin_drivers = require "services.admin_drivers"
local promise = require "contracts.admin.promise"

return promise {
  name = "admin.show_driver", about = "One driver and what hangs on them.", role = "viewer",
  input = { id = { type = "string", required = true, pattern = "^%d+$", max_length = 18 } },
  errors = { not_found = 404 },
  run = function(input) return admin_drivers.find(input.id) end,
}
