--- The shape of a payment wherever it is shown.
local host = host
local rules = require "kit.rules"
local tariffs = require "services.tariffs"

local STATUSES = {
  "pending", "waiting_for_capture", "succeeded", "canceled", "failed", "partially_refunded", "refunded",
}

local function fields(more)
  local all = {
    payment_id = { type = "uuid" }, status = { type = "string", one_of = STATUSES }, tariff = { type = "string" },
    amount = { type = "string", about = "roubles with two decimals" }, currency = { type = "string" },
    confirmation_url = { type = "string", nullable = true, about = "where to pay; null once there is nothing to pay" },
  }
  for name, field in pairs(more or {}) do all[name] = field end
  return all
end

local payment_fields = {}

payment_fields.opened = fields()
payment_fields.listed = fields {
  title = { type = "string", about = "of the tariff" }, days = { type = "integer" },
  created_at = { type = "string" }, paid_at = { type = "string", nullable = true },
}

local function iso(seconds)
  return seconds and host.time.iso8601(seconds) or nil
end

function payment_fields.shown(row)
  return {
    payment_id = row.id, status = row.status, tariff = row.tariff, amount = rules.tariffs.amount(row.amount_kopecks),
    currency = row.currency, confirmation_url = row.status == "pending" and row.confirmation_url or nil,
  }
end

function payment_fields.shown_in_list(row, language)
  local shown = payment_fields.shown(row)
  shown.title, shown.days = tariffs.title(row.tariff, language), row.days
  shown.created_at, shown.paid_at = iso(row.created_at), iso(row.paid_at)
  return shown
end

return payment_fields
