--- The shape of a response as its driver sees it.
local card_fields = require "contracts.cargo.card_fields"
local host = host

local fields = {
  response_id = { type = "string" }, cargo_id = { type = "string" },
  status = { type = "string", one_of = { "queued", "sent", "accepted", "rejected", "completed", "failed" } },
  cargo = { type = "object", fields = card_fields.card },
  phone = { type = "string", nullable = true }, name = { type = "string", nullable = true },
  created_at = { type = "string" }, sent_at = { type = "string", nullable = true },
  updated_at = { type = "string" },
}

local function iso(seconds)
  return seconds and host.time.iso8601(seconds) or nil
end

--- @param row table  of services.responses
local function shown(row)
  return {
    response_id = row.id, cargo_id = row.cargo_id, status = row.status, cargo = row.cargo, phone = row.phone,
    name = row.name, created_at = iso(row.created_at), sent_at = iso(row.sent_at), updated_at = iso(row.updated_at),
  }
end

return { fields = fields, shown = shown }
