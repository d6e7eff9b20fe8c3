--- Cargo as HTML: the list, its next pages, the sheet, city options and type chips.
local billing = require "web.pages.billing"
local filters_page = require "web.pages.filters"
local host = host
local page = require "web.pages.page"
local responses = require "web.pages.responses"
local rules = require "kit.rules"
local sorted_names = require "kit.sorted_names"

local cargos = {}

local function facts(card)
  local parts = {}
  for _, part in ipairs { card.weight_volume, card.truck_type, card.loading_type } do
    if part ~= "" then parts[#parts + 1] = part end
  end
  return table.concat(parts, " · ")
end

-- «19 ₽/км» and «712 км»; either may be missing.
local function add_rate(card, context)
  local say = rules.texts.say
  if card.price_per_km and card.price_per_km > 0 then
    card.per_km = rules.card.whole_roubles(card.price_per_km, context.language) .. " " .. say("per_km", context.language)
  end
  if card.distance_km and card.distance_km > 0 then
    card.distance = ("%.0f %s"):format(card.distance_km, say("km", context.language))
  end
end

local function whole(number) return math.floor(number + 0.5) end

-- The same in whole words, which a screen reader needs: it spells «₽/км».
local function rate_words(card, context)
  local say, language, words = rules.texts.say, context.language, {}
  if card.per_km then
    local price = rules.card.whole_roubles(card.price_per_km, language)
    words[1] = say("per_km_long", language, { price = price, n = whole(card.price_per_km / 100) })
  end
  if card.distance then words[#words + 1] = say("km_long", language, { n = whole(card.distance_km) }) end
  return table.concat(words, ", ")
end

local function decorate(card, context)
  card.facts = facts(card)
  add_rate(card, context)
  card.response = card.response_status and responses.badge(card.response_status, context)
  return card
end

-- Filters as the query of an address.
local function query_of(filters)
  local parts = {}
  for index, name in ipairs(sorted_names(filters)) do
    local value = filters[name]
    local text = type(value) == "number" and ("%.0f"):format(value) or value
    parts[index] = name .. "=" .. (text:gsub("[^%w%-%._~]", function(c) return ("%%%02X"):format(c:byte()) end))
  end
  return table.concat(parts, "&")
end

-- The same filters with another place in the list.
local function query_at(filters, offset, limit)
  local values = {}
  for name, value in pairs(filters) do values[name] = value end
  values.offset, values.limit = offset, limit
  return query_of(values)
end

local function list_values(output, context)
  for _, card in ipairs(output.cards) do decorate(card, context) end
  local meta = output.meta
  return {
    cards = output.cards, meta = meta, stale = output.cache == "stale", time = page.clock(output.fetched_s),
    query = query_at(output.filters),
    next_query = meta.next_offset and query_at(output.filters, meta.next_offset, meta.limit),
    next_count = math.min(meta.limit, math.max(1, meta.total - meta.loaded)),
    chips = filters_page.chips(output.filters, context), filters = output.filters,
    count_total = math.max(meta.total, meta.loaded),
  }
end

--- The first page replaces the results; a further one is appended.
function cargos.list(output, context)
  local values = list_values(output, context)
  if output.filters.offset > 0 then return page.render("cargo/more", values, context) end
  return page.render("cargo/results", values, context)
end

--- Results for the inside of another page.
function cargos.results(output, context)
  local values = list_values(output, context)
  values.inside = true
  return page.render("cargo/results", values, context)
end

-- «Бытовая техника, догруз»
local function goods_of(cargo, say)
  local parts = {}
  if page.has(cargo.cargo_type) then parts[1] = cargo.cargo_type end
  if cargo.partial_load then parts[#parts + 1] = say "partial_load" end
  if cargo.round_trip then parts[#parts + 1] = say "round_trip" end
  return table.concat(parts, ", ")
end

-- «20,0 тонн / 86 кубометров»: in the detail there is room for whole words.
local function full_units(shown, say)
  return (shown:gsub(say "cubic" .. "$", say "cubic_long"):gsub(" " .. say "tonnes" .. "%f[%z ]", " " .. say "tonnes_long"))
end

--- The sheet of a cargo, with the block of the driver's response.
function cargos.detail(output, context)
  decorate(output, context)
  local function say(key) return rules.texts.say(key, context.language) end
  return page.render("cargo/detail", {
    cargo = output, goods = goods_of(output, say), cheapest = billing.cheapest(context),
    rate = table.concat({ output.per_km or output.distance, output.per_km and output.distance }, " · "),
    rate_words = rate_words(output, context),
    response = responses.block(output, context), full_units = function(shown) return full_units(shown, say) end,
  }, context)
end

-- Older prices are those of a stored copy: the list does not call itself updated by them.
local PRICES_FRESH_S = 60

--- Out-of-band prices, and cards of cargos that are gone.
function cargos.prices(output, context)
  local prices = {}
  for id, price in pairs(output.prices) do prices[#prices + 1] = { id = id, price = price } end
  table.sort(prices, function(a, b) return a.id < b.id end)
  local at = context.priced_at
  local is_fresh = at and host.time.now() - at <= PRICES_FRESH_S
  return page.render("cargo/prices", {
    prices = prices, gone = output.gone, time = is_fresh and page.clock(at), news = responses.news(context),
  }, context)
end

function cargos.cities(output, context)
  return page.render("filters/cities", { points = output.data, degraded = output.degraded }, context)
end

--- Chips of a dictionary, for the filter sheet.
function cargos.type_chips(name)
  return function(output, context)
    return page.render("filters/type_chips", { name = name, entries = output.data }, context)
  end
end

return cargos
