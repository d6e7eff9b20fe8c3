-- The filters of the cargo list: which exist and what they accept. Unknown ones are ignored, empty ones are absent.
-- Types: integer (plain decimal digits), date (YYYY-MM-DD), ids («1,2,3»), range («min,max»), string.

local TONNES = { min = 0.1, max = 1000 }
local CUBIC_METRES = { min = 0.1, max = 200 }

-- «20-83», «1.5-9»: tonnes and cubic metres.
local function weight_volume(value)
  local weight, volume = value:match "^(%d+%.?%d*)%-(%d+%.?%d*)$"
  if not weight or weight:find "%.$" or volume:find "%.$" or #value > 32 then return "weight_volume" end
  weight, volume = tonumber(weight), tonumber(volume)
  if weight < TONNES.min or weight > TONNES.max then return "weight_range", TONNES end
  if volume < CUBIC_METRES.min or volume > CUBIC_METRES.max then return "volume_range", CUBIC_METRES end
end

local function taxpayer_number(value)
  if not (value:find "^%d+$" and (#value == 10 or #value == 12)) then return "inn" end
end

local MAX_ID = 999999999999999

return {
  fields = {
    limit = { type = "integer", min = 1, max = 100, default = 20, about = "cards on a page" },
    offset = { type = "integer", min = 0, max = 10000, default = 0, about = "cards to skip" },
    mode = { type = "string", one_of = { "my", "all" }, default = "my", about = "my: fits the account's trucks" },
    start_point_id = { type = "integer", min = 1, max = MAX_ID, about = "point of the dictionary" },
    start_point_type = { type = "integer", min = 1, max = 1000, about = "type of that point, 2 is a city" },
    start_point_radius = { type = "integer", min = 0, max = 1000, about = "kilometres around it, 50 by default" },
    finish_point_id = { type = "integer", min = 1, max = MAX_ID, about = "point of the dictionary" },
    finish_point_type = { type = "integer", min = 1, max = 1000, about = "type of that point, 2 is a city" },
    finish_point_radius = { type = "integer", min = 0, max = 1000, about = "kilometres around it, 50 by default" },
    start_point_name = { type = "string", max_length = 100, about = "shown on its chip; not sent upstream" },
    finish_point_name = { type = "string", max_length = 100, about = "shown on its chip; not sent upstream" },
    start_date = { type = "date", about = "loading day" },
    weight_volume = { type = "string", none = "any", check = weight_volume, about = "tonnes-m³, like 1.5-9" },
    load_types = { type = "ids", max_items = 20, about = "ids of load types" },
    truck_types = { type = "ids", max_items = 20, about = "ids of truck types" },
    distance = { type = "range", about = "kilometres" },
    price = { type = "range", about = "kopecks" },
    price_per_km = { type = "range", about = "kopecks" },
    owner_company = { type = "string", check = taxpayer_number, about = "taxpayer number of the owner" },
  },

  -- Filters that a driver gets back next time (not the place in the list).
  remembered = {
    "mode", "start_point_id", "start_point_type", "start_point_radius", "finish_point_id", "finish_point_type",
    "finish_point_radius", "start_point_name", "finish_point_name",
    "start_date", "weight_volume", "load_types", "truck_types", "distance", "price",
    "price_per_km", "owner_company",
  },

  -- Chips of the filter sheet.
  weight_volume_presets = { "20-83", "15-65", "10-54", "7.5-45", "5-36", "3-16", "1.5-9" },
  radius_choices = { 0, 25, 50, 100, 150, 200, 300, 500 },

  weight_volume = weight_volume,
  examples = {
    { "weight_volume", { "1.5-9" }, nil },
    { "weight_volume", { "15 - 65" }, "weight_volume" },
    { "weight_volume", { "1000.1-9" }, "weight_range" },
    { "weight_volume", { "5-200.1" }, "volume_range" },
  },
}
