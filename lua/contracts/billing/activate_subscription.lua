--- Contract 5.3: what the gateway says of a paid payment becomes access, exactly once.
local contract = require "kit.contract"
local settling = require "services.payment_settling"

return contract {
  name = "billing.activate_subscription", number = "5.3", access = "internal",
  about = "Settle a payment as the gateway gave it: base = max(now, expires_at), plus its days of 86400 s.",
  input = {
    object = { type = "object", required = true, about = "the gateway's payment, as GET /payments/{id} gives it" },
    cause = { type = "string", required = true, one_of = { "created", "webhook", "reconcile", "compare" } },
  },
  output = { outcome = { type = "string", one_of = { "applied", "unchanged", "mismatch", "unknown" } } },
  errors = { database_unavailable = 503 },

  run = function(input)
    local outcome = settling.payment(input.object, input.cause)
    if not outcome then return nil, "database_unavailable" end
    return { outcome = outcome }
  end,
}
