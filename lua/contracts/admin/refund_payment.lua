--- Give money back: what it would do, and doing it.
local admin_payments = require "services.admin_payments"
local failure = require "kit.failure"
local promise = require "contracts.admin.promise"
local rules = require "kit.rules"

local refund_payment = {}

-- «1 299,50» as people type it.
local function kopecks(text)
  return rules.tariffs.kopecks((text:gsub("[%s\194\160₽]", ""):gsub(",", ".")))
end

local function amount_of(input)
  local amount = kopecks(input.amount)
  if amount then return amount end
  return nil, failure("invalid_input", { fields = { { field = "amount", label = "Сумма", code = "number" } } })
end

local id = { type = "uuid", required = true }
local amount_field = { type = "string", required = true, max_length = 20 }

refund_payment.preview = promise {
  name = "admin.preview_refund", about = "What a refund would do to the access.", role = "viewer",
  input = { id = id, amount = amount_field },
  errors = { not_found = 404, refund_too_large = 422 },
  run = function(input)
    local amount, problem = amount_of(input)
    if not amount then return nil, problem end
    return admin_payments.refund_effect(input.id, amount)
  end,
}

refund_payment.refund = promise {
  name = "admin.refund_payment", about = "Give money of a payment back.", role = "admin",
  input = { id = id, amount = amount_field, key = { type = "uuid", required = true },
    reason = { type = "string", required = true, max_length = 200 } },
  errors = { payment_not_found = 404, payment_not_refundable = 409, refund_too_large = 422, refund_refused = 409,
    gateway_unavailable = 503, encryption_key_missing = 503 },
  run = function(input, context)
    local amount, problem = amount_of(input)
    if not amount then return nil, problem end
    return admin_payments.refund({ id = input.id, amount = amount, reason = input.reason, key = input.key }, context)
  end,
}

return refund_payment
