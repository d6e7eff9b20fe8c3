--- What the driver has access to, and until when.
local contract = require "kit.contract"
local subscription_fields = require "contracts.billing.subscription_fields"
local subscriptions = require "services.subscriptions"

return contract {
  name = "billing.show_subscription", access = "driver",
  about = "The driver's subscription and what it opens.",
  input = {}, output = subscription_fields, errors = {},
  run = function(_, context) return subscriptions.of(context.driver_id) end,
}
