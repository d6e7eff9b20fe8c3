-- Which parameters the exchange gets for a driver's filters. mode and user_id are always sent; the type and radius of a
-- point only with its id.

local DEFAULT_POINT_TYPE = 2 -- a city
local DEFAULT_RADIUS_KM = 50

local COPIED = { "start_date", "load_types", "truck_types", "distance", "price", "price_per_km", "owner_company" }

local function add_point(query, filters, side)
  local id = filters[side .. "_point_id"]
  if not id then return end
  query["filter[" .. side .. "_point_id]"] = id
  query["filter[" .. side .. "_point_type]"] = filters[side .. "_point_type"] or DEFAULT_POINT_TYPE
  query["filter[" .. side .. "_point_radius]"] = filters[side .. "_point_radius"] or DEFAULT_RADIUS_KM
end

local function build(filters)
  local query = {
    include = "contacts",
    limit = filters.limit or 20,
    offset = filters.offset or 0,
    ["filter[mode]"] = filters.mode or "my",
    ["filter[user_id]"] = 0,
    ["filter[wv]"] = filters.weight_volume,
  }
  add_point(query, filters, "start")
  add_point(query, filters, "finish")
  for _, name in ipairs(COPIED) do
    query["filter[" .. name .. "]"] = filters[name]
  end
  return query
end

return {
  build = build,
  examples = {
    { "build", { { mode = "all", offset = 20 } },
      { include = "contacts", limit = 20, offset = 20, ["filter[mode]"] = "all", ["filter[user_id]"] = 0 } },
    { "build", { { start_date = "2026-01-26", load_types = "1", truck_types = "2", distance = "1,2", price = "3,4",
      price_per_km = "5,6", owner_company = "7701234567", weight_volume = "1.5-9" } },
      { include = "contacts", limit = 20, offset = 0, ["filter[mode]"] = "my", ["filter[user_id]"] = 0,
        ["filter[start_date]"] = "2026-01-26", ["filter[load_types]"] = "1", ["filter[truck_types]"] = "2",
        ["filter[distance]"] = "1,2", ["filter[price]"] = "3,4", ["filter[price_per_km]"] = "5,6",
        ["filter[owner_company]"] = "7701234567", ["filter[wv]"] = "1.5-9" } },
    { "build", { { start_point_id = 1, finish_point_id = 2, finish_point_type = 3, finish_point_radius = 0 } },
      { include = "contacts", limit = 20, offset = 0, ["filter[mode]"] = "my", ["filter[user_id]"] = 0,
        ["filter[start_point_id]"] = 1, ["filter[start_point_type]"] = 2, ["filter[start_point_radius]"] = 50,
        ["filter[finish_point_id]"] = 2, ["filter[finish_point_type]"] = 3, ["filter[finish_point_radius]"] = 0 } },
  },
}
