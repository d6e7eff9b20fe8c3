--- Ask YooKassa again what became of a payment.
local admin_payments = require "services.admin_payments"
local promise = require "contracts.admin.promise"

return promise {
  name = "admin.ask_gateway", about = "Compare a payment with the gateway now.", role = "admin",
  input = { id = { type = "uuid", required = true } },
  errors = { not_found = 404, not_at_gateway = 409, gateway_unavailable = 503, encryption_key_missing = 503 },
  run = function(input, context) return admin_payments.ask(input.id, context) end,
}
