--- Who I am: the driver, what they have access to, and what they searched for last.
local contract = require "kit.contract"
local drivers = require "services.drivers"
local failure = require "kit.failure"
local flags = require "services.flags"
local subscription_fields = require "contracts.billing.subscription_fields"
local subscriptions = require "services.subscriptions"

local function no_database(problem)
  return nil, failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 })
end

return contract {
  name = "account.show_me", access = "driver",
  about = "The driver, the subscription, the flags and the last filters.",
  input = {},
  output = {
    driver = { type = "object", fields = {
      id = { type = "string" }, first_name = { type = "string" }, last_name = { type = "string", nullable = true },
      username = { type = "string", nullable = true }, language_code = { type = "string", nullable = true },
    } },
    subscription = { type = "object", fields = subscription_fields },
    flags = { type = "object" }, filters = { type = "object" },
  },
  errors = { database_unavailable = 503, unauthorized = 401 },

  run = function(_, context)
    local driver, problem = drivers.find(context.driver_id)
    if problem then return no_database(problem) end
    if not driver then return nil, "unauthorized" end
    local filters
    filters, problem = drivers.filters(context.driver_id)
    if problem then return no_database(problem) end
    local subscription
    subscription, problem = subscriptions.of(context.driver_id)
    if problem then return nil, problem end
    local copy = {}
    for name, value in pairs(driver) do copy[name] = value end
    return {
      driver = copy, subscription = subscription, filters = filters,
      flags = flags.of(context.driver_id, subscription.active),
    }
  end,
}
