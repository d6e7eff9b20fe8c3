--- The shape of a card and of a detail: for contracts, OpenAPI and JSON.
local card = {
  id = { type = "string" }, title = { type = "string" },
  route = { type = "object", fields = { from = { type = "string" }, to = { type = "string" } } },
  loading_date = { type = "string", nullable = true }, unloading_date = { type = "string", nullable = true },
  loading_display = { type = "string" }, unloading_display = { type = "string" },
  weight_volume = { type = "string" }, price = { type = "string" },
  price_kopecks = { type = "integer", nullable = true }, price_per_km = { type = "integer", nullable = true },
  distance_km = { type = "number", nullable = true },
  truck_type = { type = "string" }, loading_type = { type = "string" },
  tags = { type = "list", items = { type = "string" } },
}

local detail = {
  comment = { type = "string", nullable = true }, cargo_type = { type = "string", nullable = true },
  loading_address = { type = "string", nullable = true }, unloading_address = { type = "string", nullable = true },
  loading_window = { type = "string", nullable = true }, unloading_window = { type = "string", nullable = true },
  posted = { type = "string", nullable = true },
  shipper = { type = "object", fields = {
    name = { type = "string", nullable = true }, inn = { type = "string", nullable = true },
  } },
  contact = { type = "object", fields = {
    company = { type = "string", nullable = true }, person = { type = "string", nullable = true },
    phone = { type = "string", nullable = true }, phone_tel = { type = "string", nullable = true },
  } },
  partial_load = { type = "boolean" }, round_trip = { type = "boolean" },
  source_url = { type = "string", nullable = true },
  response = { type = "object", nullable = true, fields = { id = { type = "string" }, status = { type = "string" } } },
  locked = { type = "list", items = { type = "string" } },
}
for name, field in pairs(card) do detail[name] = field end

return {
  card = card,
  detail = detail,
  meta = {
    total = { type = "integer" }, limit = { type = "integer" }, offset = { type = "integer" },
    next_offset = { type = "integer", nullable = true }, loaded = { type = "integer" },
  },
}
