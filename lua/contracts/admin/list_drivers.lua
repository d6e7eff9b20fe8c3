--- Drivers, newest login first.
local admin_drivers = require "services.admin_drivers"
local list_fields = require "contracts.admin.list_fields"
local promise = require "contracts.admin.promise"

return promise {
  name = "admin.list_drivers", about = "Drivers by name, id, access.", role = "viewer",
  input = list_fields {
    q = { type = "string", max_length = 100 },
    access = { type = "string", one_of = { "active", "expired" } },
    unreachable = { type = "boolean" },
  },
  run = function(input) return admin_drivers.list(input) end,
}
