--- Subscriptions, the longest first.
local admin_subscriptions = require "services.admin_subscriptions"
local list_fields = require "contracts.admin.list_fields"
local promise = require "contracts.admin.promise"

return promise {
  name = "admin.list_subscriptions", about = "Subscriptions by state and source.", role = "viewer",
  input = list_fields {
    q = { type = "string", max_length = 100 },
    show = { type = "string", one_of = { "active", "soon", "expired" } },
    source = { type = "string", one_of = { "payment", "promo", "gift", "trial" } },
  },
  run = function(input) return admin_subscriptions.list(input) end,
}
