-- Tariffs of the subscription page until the panel saves its own. Order is the order on the page.
-- `on_sale = false` hides one; who bought it keeps it.
local MAX_DAYS, MAX_KOPECKS = 3660, rub(1000000)

local function is_whole(value, min, max)
  return type(value) == "number" and value == math.floor(value) and value >= min and value <= max
end

local function is_title(title)
  return type(title) == "table" and type(title.ru) == "string" and title.ru ~= ""
    and (title.en == nil or type(title.en) == "string")
end

-- The panel leaves an empty badge out; JSON written by hand may say null.
local ABSENT = { ["nil"] = true, userdata = true }

local function problem_of(tariff)
  if type(tariff) ~= "table" then return "not a table" end
  if type(tariff.name) ~= "string" or not tariff.name:find "^[a-z0-9_]+$" or #tariff.name > 64 then return "name" end
  if not is_title(tariff.title) then return "title" end
  if not is_whole(tariff.days, 1, MAX_DAYS) then return "days" end
  if not is_whole(tariff.price_kopecks, rub(1), MAX_KOPECKS) then return "price_kopecks" end
  if not ABSENT[type(tariff.badge)] and type(tariff.badge) ~= "string" then return "badge" end
  if not ABSENT[type(tariff.on_sale)] and type(tariff.on_sale) ~= "boolean" then return "on_sale" end
end

--- What is wrong with a list of tariffs, in one sentence; "" when it can be sold from.
local function problem(list)
  if type(list) ~= "table" or #list == 0 then return "there are no tariffs" end
  local seen = {}
  for index, tariff in ipairs(list) do
    local wrong = problem_of(tariff)
    if wrong then return ("tariff %d: wrong %s"):format(index, wrong) end
    if seen[tariff.name] then return ("two tariffs are called %s"):format(tariff.name) end
    seen[tariff.name] = true
  end
  return ""
end

--- Kopecks as the gateway writes money: 49900 → "499.00".
local function amount(kopecks)
  return ("%d.%02d"):format(math.floor(kopecks / 100), kopecks % 100)
end

--- And back: whole kopecks of "499.00", "499" or 499.0; nil when it is no such amount.
local function kopecks(value)
  if type(value) == "number" then value = decimal.fixed(value, 2) end
  if type(value) ~= "string" then return nil end
  local roubles, rest = value:match "^(%d+)%.?(%d*)$"
  if not roubles or #roubles > 12 or #rest > 2 or value:sub(-1) == "." then return nil end
  return tonumber(roubles) * 100 + tonumber((rest .. "00"):sub(1, 2))
end

return {
  list = {
    { name = "1_month", title = { ru = "1 месяц", en = "1 month" }, days = 30, price_kopecks = rub(499) },
    { name = "3_months", title = { ru = "3 месяца", en = "3 months" }, days = 90, price_kopecks = rub(1299) },
    { name = "6_months", title = { ru = "6 месяцев", en = "6 months" }, days = 180, price_kopecks = rub(2399) },
    { name = "12_months", title = { ru = "12 месяцев", en = "12 months" }, days = 365, price_kopecks = rub(3999) },
  },
  problem = problem, amount = amount, kopecks = kopecks,

  examples = {
    { "amount", { 49900 }, "499.00" },
    { "amount", { 5 }, "0.05" },
    { "kopecks", { "499.00" }, 49900 },
    { "kopecks", { 250.0 }, 25000 },
    { "kopecks", { "1.5" }, 150 },
    { "problem", { {} }, "there are no tariffs" },
    { "problem", { { { name = "x", title = { ru = "X" }, days = 0, price_kopecks = 100 } } }, "tariff 1: wrong days" },
  },
}
