--- The driver's own payments, for the paywall.
local contract = require "kit.contract"
local payment_fields = require "contracts.billing.payment_fields"
local payments = require "services.payments"
local host = host

return contract {
  name = "billing.list_payments", access = "driver",
  about = "One's own payments, newest first; `next_cursor` is given back as `cursor` for the page after.",
  input = { cursor = { type = "uuid" } },
  output = {
    data = { type = "list", items = { type = "object", fields = payment_fields.listed } },
    next_cursor = { type = "string", nullable = true },
  },
  errors = { database_unavailable = 503 },

  run = function(input, context)
    local rows, problem = payments.history(context.driver_id, input.cursor)
    if not rows then return nil, problem end
    local data = host.json.array {}
    for index, row in ipairs(rows) do
      data[index] = payment_fields.shown_in_list(row, context.language or "ru")
    end
    return { data = data, next_cursor = #rows == payments.page_size and rows[#rows].id or nil }
  end,
}
