--- One payment with its history, refunds and notifications.
local admin_payments = require "services.admin_payments"
local promise = require "contracts.admin.promise"

return promise {
  name = "admin.show_payment", about = "One payment.", role = "viewer",
  input = { id = { type = "uuid", required = true } },
  errors = { not_found = 404 },
  run = function(input) return admin_payments.find(input.id) end,
}
