--- What a driver may do beyond the free part.
local rules = require "kit.rules"

local subscriptions = {}

--- The driver's subscription as /api/v1/me shows it.
--- @return {active: boolean, expires_at: string?, days_left: integer, source: string?, features: table<string, boolean>}
function subscriptions.of(_)
  local subscription = { active = false, expires_at = nil, days_left = 0, source = nil }
  subscription.features = rules.access.all(subscription)
  return subscription
end

return subscriptions
