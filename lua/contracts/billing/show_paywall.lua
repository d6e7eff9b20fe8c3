--- All that the subscription page shows, in one answer: each further request costs half a second on a slow network.
local contract = require "kit.contract"
local flags = require "services.flags"
local list_payments = require "contracts.billing.list_payments"
local list_tariffs = require "contracts.billing.list_tariffs"
local receipts = require "services.receipts"
local subscription_fields = require "contracts.billing.subscription_fields"
local subscriptions = require "services.subscriptions"

return contract {
  name = "billing.show_paywall", access = "driver",
  about = "Access, tariffs on sale, what can be done now, and the latest payments.",
  input = {},
  output = {
    subscription = { type = "object", fields = subscription_fields },
    payments_enabled = { type = "boolean" }, promo_enabled = { type = "boolean" },
    receipt_contact_needed = { type = "boolean" },
    tariffs = list_tariffs.output.data, payments = list_payments.output.data,
  },
  errors = { database_unavailable = 503 },

  run = function(_, context)
    local subscription, problem = subscriptions.of(context.driver_id)
    if problem then return nil, problem end
    local history
    history, problem = list_payments.run({}, context)
    if not history then return nil, problem end
    return {
      subscription = subscription, tariffs = list_tariffs.run({}, context).data, payments = history.data,
      payments_enabled = flags.is_on("payments", context.driver_id, subscription.active),
      promo_enabled = flags.is_on("promo_codes", context.driver_id, subscription.active),
      receipt_contact_needed = receipts.are_due(),
    }
  end,
}
