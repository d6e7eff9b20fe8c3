-- How a raw cargo of the exchange becomes what a driver sees.
-- `format` makes the card of the list, `detail` adds what the sheet shows.
-- Money comes in kopecks, weight in kilograms, volume in cubic metres. Whatever is missing or unusable is left out.

local CURRENCY = "₽"
local NO_PRICE = "—"
local ARROW = " → "

local LANGUAGES = {
  ru = {
    tonnes = "т", cubic = "м³", thousands = " ", point = ",",
    months = { "янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек" },
    partial = "Догруз", round = "Круговой",
  },
  en = {
    tonnes = "t", cubic = "m³", thousands = ",", point = ".",
    months = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" },
    partial = "Part load", round = "Round trip",
  },
}

local function words(language)
  return LANGUAGES[language] or LANGUAGES.ru
end

-- ---- reading what may be broken ----

local function member(object, name)
  if type(object) == "table" then return object[name] end
end

local function read_text(value)
  if type(value) ~= "string" or not text.is_utf8(value) then return "" end
  return text.trim((value:gsub("[%z\1-\8\11\12\14-\31\127]", " ")))
end

local function read_number(value)
  if type(value) == "number" and value == value and value > -2 ^ 53 and value < 2 ^ 53 then return value end
end

local function read_positive(value)
  local number = read_number(value)
  if number and number > 0 then return number end
end

local function read_kopecks(value)
  local number = read_number(value)
  local rounded = number and tonumber(decimal.fixed(number, 0))
  if rounded and rounded ~= 0 then return rounded end
end

-- Digits as text; nil unless it is a positive integer that a number holds exactly.
local function read_id(value)
  if type(value) == "number" and value >= 1 and decimal.is_integer(value) then return ("%.0f"):format(value) end
end

-- ---- writing ----

local function price(kopecks, language)
  kopecks = read_kopecks(kopecks)
  if not kopecks then return NO_PRICE end
  local use = words(language)
  local roubles = decimal.fixed(kopecks, 2, -2):gsub("%.00$", "")
  return decimal.grouped(roubles, use.thousands, use.point) .. " " .. CURRENCY
end

local function weight_volume(weight_kg, volume_m3, language)
  local use, parts = words(language), {}
  local weight, volume = read_positive(weight_kg), read_positive(volume_m3)
  if weight then
    parts[1] = decimal.grouped(decimal.fixed(weight, 1, -3), use.thousands, use.point) .. " " .. use.tonnes
  end
  if volume then
    local places = decimal.is_integer(volume) and 0 or 1
    parts[#parts + 1] = decimal.grouped(decimal.fixed(volume, places), use.thousands, use.point) .. " " .. use.cubic
  end
  return table.concat(parts, " / ")
end

local function day_month(moment, language)
  return moment and ("%d %s"):format(moment.day, words(language).months[moment.month]) or ""
end

local function hour_minute(moment)
  return ("%02d:%02d"):format(moment.hour, moment.min)
end

-- «26 янв 08:00–18:00», or with the second day when it ends on another.
local function window(point, language)
  local from = clock_text.parse(member(point, "first_date"))
  local to = clock_text.parse(member(point, "last_date"))
  if not from then return "" end
  local shown = day_month(from, language) .. (from.has_time and " " .. hour_minute(from) or "")
  if not to then return shown end
  if clock_text.iso(from):sub(1, 10) ~= clock_text.iso(to):sub(1, 10) then
    return shown .. " – " .. day_month(to, language) .. (to.has_time and " " .. hour_minute(to) or "")
  end
  if from.has_time and to.has_time and hour_minute(from) ~= hour_minute(to) then
    return shown .. "–" .. hour_minute(to)
  end
  return shown
end

-- All types of a list, the short name first: «тент, реф».
local function types(list)
  local names = {}
  if type(list) == "table" then
    for _, entry in ipairs(list) do
      local name = read_text(member(entry, "short_name"))
      if name == "" then name = read_text(member(entry, "name")) end
      if name ~= "" then names[#names + 1] = name end
    end
  end
  return table.concat(names, ", ")
end

local function tags(cargo, language)
  local use, extra, list = words(language), member(cargo, "extra"), {}
  if member(extra, "partial_load") == true then list[#list + 1] = use.partial end
  if member(extra, "krugoreis") == true then list[#list + 1] = use.round end
  return list
end

-- The carrier's price when there is one, else the price.
local function kopecks_of(cargo)
  return read_kopecks(cargo.price_carrier) or read_kopecks(cargo.price)
end

local function city(point)
  return read_text(member(member(point, "city"), "name"))
end

--- raw cargo → card; nil when it has no usable id, and is then skipped and counted.
local function format(cargo, language)
  local id = read_id(member(cargo, "id"))
  if not id then return nil end
  local start, finish = member(cargo.points, "start"), member(cargo.points, "finish")
  local from, to = city(start), city(finish)
  local loading = clock_text.parse(member(start, "first_date"))
  local unloading = clock_text.parse(member(finish, "first_date"))
  local title = text.join({ from, to }, ARROW)
  local kopecks = kopecks_of(cargo)
  local distance = read_number(cargo.distance)
  return {
    id = id,
    title = title ~= "" and title or id,
    route = { from = from, to = to },
    loading_date = loading and clock_text.iso(loading),
    unloading_date = unloading and clock_text.iso(unloading),
    loading_display = day_month(loading, language),
    unloading_display = day_month(unloading, language),
    weight_volume = weight_volume(cargo.weight, cargo.volume, language),
    price = price(kopecks, language),
    price_kopecks = kopecks,
    price_per_km = read_kopecks(cargo.price_per_km),
    distance_km = distance and distance >= 0 and distance or nil,
    truck_type = types(cargo.truck_types),
    loading_type = types(cargo.load_types),
    tags = tags(cargo, language),
  }
end

-- ---- phones ----

local EXTENSION_WORDS = { "добавочный", "доб", "внутренний", "внутр", "вн", "ext", "#" }

-- The number before «доб. 12», and the 12.
local function split_extension(shown)
  local low = text.lower(shown)
  for _, word in ipairs(EXTENSION_WORDS) do
    local first, last = low:find(word, 1, true)
    if first then
      local extension = low:sub(last + 1):match "^[%s%.:№]*(%d+)"
      return low:sub(1, first - 1), extension
    end
  end
  return low, nil
end

local BEHIND_TENTH_DIGIT = "^" .. ("%D*%d"):rep(10) .. "()"

-- The number before what is said of it: «8 999 888-77-66 до 18:00», «… (24/7)».
local function without_remark(part)
  local behind = part:match(BEHIND_TENTH_DIGIT)
  local remark = behind and part:find("[%a%(%*\208\209]", behind)
  return remark and part:sub(1, remark - 1) or part
end

-- The first of several numbers: «8 800 555-35-35, 8 495 …».
local function first_number(shown)
  for part in shown:gmatch "[^,;/\n|]+" do
    if part:find "%d" then
      local before_second_plus = part:match "^[^%d]*%+?[^%+]*%d[^%+]*"
      return without_remark(before_second_plus or part)
    end
  end
  return ""
end

--- What a phone link dials: «8 (999) 888-77-66» → +79998887766, «… доб. 12» → …;ext=12. Empty when there is no number.
local function phone_tel(shown)
  local number, extension = split_extension(read_text(shown))
  number = first_number(number)
  local plus, digits = number:find "^[^%d]*%+" ~= nil, number:gsub("%D", "")
  if digits == "" then return "" end
  if #digits > 15 and digits:find "^[78]" then digits = digits:sub(1, 11) end
  if not plus and #digits == 11 and digits:sub(1, 1) == "8" then
    digits, plus = "7" .. digits:sub(2), true
  end
  return ((plus or #digits >= 11) and "+" or "") .. digits .. (extension and ";ext=" .. extension or "")
end

-- ---- detail ----

local function phone_of(contact)
  local phones = member(contact, "phones")
  if type(phones) == "table" then
    for _, phone in ipairs(phones) do
      local shown = read_text(phone)
      if shown ~= "" then return shown end
    end
  end
  return read_text(member(contact, "phone"))
end

local FIRST_CONTACTS = { broker = true, company = true }

-- The broker or company first, then the rest; the first one with a name or a phone.
local function choose_contact(contacts)
  if type(contacts) ~= "table" then return "", "" end
  for _, preferred in ipairs { true, false } do
    for _, contact in ipairs(contacts) do
      local kind = member(contact, "type")
      if (type(kind) == "string" and FIRST_CONTACTS[kind] or false) == preferred then
        local person, phone = read_text(member(contact, "name")), phone_of(contact)
        if person ~= "" or phone ~= "" then return person, phone end
      end
    end
  end
  return "", ""
end

local function filled(value)
  if value ~= "" then return value end
end

local function contact_of(cargo)
  local person, phone = choose_contact(cargo.contacts)
  return {
    company = filled(read_text(member(cargo.company, "name"))),
    person = filled(person),
    phone = filled(phone),
    phone_tel = filled(phone_tel(phone)),
  }
end

local function read_inn(value)
  if type(value) == "number" and decimal.is_integer(value) then return ("%.0f"):format(value) end
  return read_text(value)
end

local function cargo_type(cargo)
  local own = read_text(member(cargo.extra, "custom_cargo_type"))
  return own ~= "" and own or read_text(member(cargo.cargo_type, "name"))
end

local function source_url(cargo)
  local url = read_text(member(cargo.extra, "url"))
  return url:find "^https?://[%w%.%-]+" and not url:find "[%s\"<>]" and url or nil
end

--- raw detail → the card and what only the sheet shows. Contacts are in; access decides later what of them stays.
local function detail(cargo, language)
  local card = format(cargo, language)
  if not card then return nil end
  local start, finish = member(cargo.points, "start"), member(cargo.points, "finish")
  local created = clock_text.parse(cargo.created_at)
  card.comment = filled(read_text(member(cargo.extra, "note")))
  card.cargo_type = filled(cargo_type(cargo))
  card.loading_address = filled(read_text(member(start, "address")))
  card.unloading_address = filled(read_text(member(finish, "address")))
  card.loading_window = filled(window(start, language))
  card.unloading_window = filled(window(finish, language))
  card.shipper = {
    name = filled(read_text(member(cargo.shipper, "name"))),
    inn = filled(read_inn(member(cargo.shipper, "inn"))),
  }
  card.contact = contact_of(cargo)
  card.partial_load = member(cargo.extra, "partial_load") == true
  card.round_trip = member(cargo.extra, "krugoreis") == true
  card.source_url = source_url(cargo)
  card.posted = created and filled(day_month(created, language) .. " " .. hour_minute(created))
  return card
end

return {
  format = format, detail = detail,
  price = price, weight_volume = weight_volume, phone_tel = phone_tel, types = types, day_month = day_month,
  -- «19»: whole roubles for one kilometre, as the card shows them
  whole_roubles = function(kopecks, language)
    local use = words(language)
    return decimal.grouped(decimal.fixed(kopecks, 0, -2), use.thousands, use.point)
  end,

  examples = {
    { "price", { 1350000 }, "13 500 ₽" },
    { "price", { 35250 }, "352,50 ₽" },
    { "price", { 0 }, "—" },
    { "weight_volume", { 12345, 82.45 }, "12,3 т / 82,5 м³" },
    { "weight_volume", { 12350, 82 }, "12,4 т / 82 м³" },
    { "day_month", { { day = 1, month = 1 }, "ru" }, "1 янв" },
    { "day_month", { { day = 31, month = 12 }, "ru" }, "31 дек" },
    { "day_month", { { day = 31, month = 12 }, "en" }, "31 Dec" },
    { "phone_tel", { "8 (999) 888-77-66" }, "+79998887766" },
    { "phone_tel", { "+7 999 888-77-66 доб. 12" }, "+79998887766;ext=12" },
    { "phone_tel", { "8 800 555-35-35, 8 495 000-00-00" }, "+78005553535" },
    { "phone_tel", { "8 999 888-77-66 до 18:00" }, "+79998887766" },
    { "phone_tel", { "нет" }, "" },
  },
}
