--- The filters as a driver sees them: chips above the list and the sheet's form.
local host = host
local page = require "web.pages.page"
local rules = require "kit.rules"

local filters_page = {}

local function radius_text(context, km)
  if km == 0 then return rules.texts.say("only_city", context.language) end
  return rules.texts.say("radius_km", context.language, { km = km })
end

local function city_chip(filters, side, arrow, context)
  local id = filters[side .. "_point_id"]
  if not id then return nil end
  local name = filters[side .. "_point_name"] or "№ " .. ("%.0f"):format(id)
  local radius = filters[side .. "_point_radius"] or 50
  local text = arrow .. name .. (radius > 0 and " +" .. radius_text(context, radius) or "")
  return { text = text, clears = side .. "_point" }
end

-- Noon in Moscow: the same day from Kaliningrad to Kamchatka.
local function short_date(shown, context)
  return page.short_date(host.time.parse_iso8601(shown .. "T09:00:00Z"), context.language)
end

-- «7,5» in Russian.
local function decimal_text(shown, context)
  return context.language == "en" and shown or (shown:gsub("%.", ","))
end

local function range_part(range, index)
  return tonumber(({ range:match "^(%d+),(%d+)$" })[index]) or 0
end

local function roubles(kopecks, context)
  return rules.card.whole_roubles(kopecks, context.language)
end

local SIMPLE = {
  { "start_date", function(value, _, context) return short_date(value, context) end },
  { "weight_volume", function(value, say, context)
    local tonnes, cubic = decimal_text(value, context):match "^(.-)%-(.+)$"
    return ("%s %s / %s %s"):format(tonnes, say "tonnes", cubic, say "cubic")
  end },
  { "truck_types", function(value, say) return say "truck_types" .. ": " .. select(2, value:gsub(",", "")) + 1 end },
  { "load_types", function(value, say) return say "load_types" .. ": " .. select(2, value:gsub(",", "")) + 1 end },
  { "price", function(value, _, context) return "≥ " .. roubles(range_part(value, 1), context) .. " ₽" end },
  { "price_per_km", function(value, say, context)
    return ("≥ %s %s"):format(roubles(range_part(value, 1), context), say "per_km")
  end },
  { "distance", function(value, say) return ("≤ %d %s"):format(range_part(value, 2), say "km") end },
  { "owner_company", function(value, say) return say("inn_short", { inn = value }) end },
}

--- Active filters as {text, clears}, in the order of the form.
function filters_page.chips(filters, context)
  local function say(key, words) return rules.texts.say(key, context.language, words) end
  local chips = {}
  chips[#chips + 1] = city_chip(filters, "start", "", context)
  chips[#chips + 1] = city_chip(filters, "finish", "→ ", context)
  for _, entry in ipairs(SIMPLE) do
    local value = filters[entry[1]]
    if value then chips[#chips + 1] = { text = entry[2](value, say, context), clears = entry[1] } end
  end
  return chips
end

--- The form's state for the template.
function filters_page.form(filters, context)
  local preset = filters.weight_volume
  local own = true
  local presets = {}
  for index, value in ipairs(rules.filters.weight_volume_presets) do
    local tonnes, cubic = decimal_text(value, context):match "^(.-)%-(.+)$"
    presets[index] = { value = value, tonnes = tonnes, cubic = cubic, checked = value == preset }
    if value == preset then own = false end
  end
  local own_weight, own_volume
  if preset and own then own_weight, own_volume = decimal_text(preset, context):match "^(.-)%-(.+)$" end
  return {
    filters = filters, presets = presets, radii = rules.filters.radius_choices,
    own = preset and own, own_weight = own_weight, own_volume = own_volume,
    today = page.date(0), tomorrow = page.date(1),
    price_from = filters.price and range_part(filters.price, 1) / 100 or nil,
    per_km_from = filters.price_per_km and range_part(filters.price_per_km, 1) / 100 or nil,
    distance_to = filters.distance and range_part(filters.distance, 2) or nil,
    radius_text = function(km) return radius_text(context, km) end,
    count = #filters_page.chips(filters, context),
  }
end

return filters_page
