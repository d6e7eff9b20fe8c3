--- One payment of the driver's own.
local contract = require "kit.contract"
local payment_fields = require "contracts.billing.payment_fields"
local payments = require "services.payments"

return contract {
  name = "billing.show_payment", access = "driver",
  about = "A payment of one's own; another's is not found.",
  input = { id = { type = "string", required = true, max_length = 64 } },
  output = payment_fields.listed,
  errors = { payment_not_found = 404, database_unavailable = 503 },

  run = function(input, context)
    if not payments.is_id(input.id) then return nil, "payment_not_found" end
    local row, problem = payments.of_driver(input.id, context.driver_id)
    if not row then return nil, problem or "payment_not_found" end
    return payment_fields.shown_in_list(row, context.language or "ru")
  end,
}
