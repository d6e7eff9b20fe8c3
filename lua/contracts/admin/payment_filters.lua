--- The filters of payments, for the list and the file.
local day = require "contracts.admin.day"
local list_fields = require "contracts.admin.list_fields"

local STATUSES = { "pending", "waiting_for_capture", "succeeded", "canceled", "failed", "partially_refunded", "refunded" }

local payment_filters = {}

function payment_filters.fields()
  return list_fields {
    status = { type = "string", one_of = STATUSES },
    from = { type = "date" }, to = { type = "date" },
    min = { type = "integer", min = 0, max = 1e9 }, max = { type = "integer", min = 0, max = 1e9 },
    q = { type = "string", max_length = 100 },
  }
end

--- Days become moments.
function payment_filters.asked(input)
  input.from, input.to = day.start(input.from), day.finish(input.to)
  return input
end

return payment_filters
