--- What the driver has access to, and until when.
local contract = require "kit.contract"
local subscription_fields = require "contracts.billing.subscription_fields"
local subscriptions = require "services.subscriptions"

return contract {
  name = "billing.show_subscription", access = "driver",
  about = "The driver's subscription and what it opens.",
  input = {}, output = subscription_fields, errors = { database_unavailable = 503 },

  run = function(_, context)
    local subscription, problem = subscriptions.of(context.driver_id)
    if problem then return nil, problem end
    return subscription
  end,
}
