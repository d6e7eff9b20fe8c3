--- Give days, or end the access at once; with a reason, once for each form.
local admin_subscriptions = require "services.admin_subscriptions"
local promise = require "contracts.admin.promise"

local id = { type = "string", required = true, pattern = "^[1-9]%d*$", max_length = 18 }
local key = { type = "uuid", required = true }
local reason = { type = "string", required = true, max_length = 200 }

local change_subscription = {}

change_subscription.extend = promise {
  name = "admin.extend_subscription", about = "Give a driver days of access.", role = "admin",
  input = { id = id, key = key, reason = reason, days = { type = "integer", required = true, min = 1, max = 3660 } },
  errors = { not_found = 404 },
  run = function(input, context)
    local done, problem = admin_subscriptions.extend(
      { driver_id = input.id, key = input.key, reason = input.reason, days = input.days }, context)
    if not done then return nil, problem end
    return {}
  end,
}

change_subscription.revoke = promise {
  name = "admin.revoke_subscription", about = "End a driver's access now.", role = "admin",
  input = { id = id, key = key, reason = reason },
  errors = { not_found = 404 },
  run = function(input, context)
    local done, problem = admin_subscriptions.revoke(
      { driver_id = input.id, key = input.key, reason = input.reason }, context)
    if not done then return nil, problem end
    return {}
  end,
}

return change_subscription
