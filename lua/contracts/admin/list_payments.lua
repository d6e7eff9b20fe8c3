--- Payments, newest first, with their sums.
local admin_payments = require "services.admin_payments"
local payment_filters = require "contracts.admin.payment_filters"
local promise = require "contracts.admin.promise"

return promise {
  name = "admin.list_payments", about = "Payments by status, day, amount, driver or id.", role = "viewer",
  input = payment_filters.fields(),
  run = function(input) return admin_payments.list(payment_filters.asked(input)) end,
}
