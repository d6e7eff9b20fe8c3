--- The trail, newest first.
local admin_trail = require "services.admin_trail"
local day = require "contracts.admin.day"
local list_fields = require "contracts.admin.list_fields"
local promise = require "contracts.admin.promise"

return promise {
  name = "admin.list_audit", about = "The audit trail.", role = "viewer",
  input = list_fields {
    actor = { type = "string", max_length = 100 },
    type = { type = "string", one_of = { "driver", "admin", "system", "gateway", "telegram", "command" } },
    action = { type = "string", max_length = 100 },
    object = { type = "string", max_length = 100 },
    q = { type = "string", max_length = 200 },
    from = { type = "date" }, to = { type = "date" },
  },
  run = function(input)
    input.from, input.to = day.start(input.from), day.finish(input.to)
    return admin_trail.list(input)
  end,
}
