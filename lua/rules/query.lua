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
  },
}
