--- The panel's hold on a canary: a share of the drivers meets edited sources before all do.
local canary = require "services.admin_canary"
local promise = require "contracts.admin.promise"

return {
  begin = promise {
    name = "admin.begin_canary", about = "Let a share of the drivers meet the sources on disk.", role = "admin",
    input = {
      percent = { type = "integer", default = 10, min = 1, max = 100 },
      drivers = { type = "string", pattern = "^[%d,; ]*$", max_length = 2000 },
      minutes = { type = "integer", default = 5, min = 1, max = 1440 },
    },
    run = function(input, context) return canary.begin(input, context) end,
  },

  promote = promise {
    name = "admin.promote_canary", about = "Make the canary live for all.", role = "admin", errors = { no_canary = 409 },
    run = function(_, context) return canary.promote(context) end,
  },

  withdraw = promise {
    name = "admin.withdraw_canary", about = "End the canary.", role = "admin", errors = { no_canary = 409 },
    run = function(_, context) return canary.withdraw(context) end,
  },
}
