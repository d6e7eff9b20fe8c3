--- The rows of the list as a file: gives `each(give)`, which walks them.
local admin_payments = require "services.admin_payments"
local payment_filters = require "contracts.admin.payment_filters"
local promise = require "contracts.admin.promise"

return promise {
  name = "admin.export_payments", about = "Payments as CSV.", role = "viewer",
  input = payment_filters.fields(),
  run = function(input)
    local asked = payment_filters.asked(input)
    return { each = function(give) return admin_payments.each(asked, give) end }
  end,
}
