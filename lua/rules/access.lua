-- What is free and what needs a subscription. Selling switched off never takes access from those who have it.

local FEATURES = {
  list = "free",
  detail = "free",
  view_contacts = "paid",
  respond = "paid",
}

--- `subscription` is {active = boolean}.
local function allowed(feature, subscription)
  local price = FEATURES[feature]
  if price == "free" then return true end
  return price == "paid" and subscription.active == true
end

local function all(subscription)
  local result = {}
  for feature in pairs(FEATURES) do result[feature] = allowed(feature, subscription) end
  return result
end

local MASK = "•"
local DATE = "%f[%d][0-3]%d%.[01]%d%.20%d%d%f[%D]"

local function mask_run(run)
  local digits, plain = run:gsub("%D", ""), run:gsub("[\128-\255]+", "-")
  local is_phone = #digits >= 10 or plain:find "^%d%d%d%-%d%d%-%d%d$" or plain:find "^%d%d%-%d%d%-%d%d$"
  if is_phone then return (run:gsub("%d", MASK)) end
end

local function mask_between_dates(piece)
  return (piece:gsub("%+?%d[%d \t_%(%)%.%-\194\160\226\128-\149\175]*%d", mask_run)) -- spaces, dashes of any kind
end

--- A comment with the digits of phone numbers hidden; dates and weights stay.
local function mask_phones(comment)
  local result, from = {}, 1
  while true do
    local first, last = comment:find(DATE, from)
    result[#result + 1] = mask_between_dates(comment:sub(from, (first or 0) - 1))
    if not first then return table.concat(result) end
    result[#result + 1] = comment:sub(first, last)
    from = last + 1
  end
end

return {
  features = FEATURES, allowed = allowed, all = all, mask_phones = mask_phones,
  examples = {
    { "allowed", { "list", { active = false } }, true },
    { "allowed", { "respond", { active = false } }, false },
    { "allowed", { "view_contacts", { active = true } }, true },
    { "mask_phones", { "Ремни 10 шт, 26.01.2026, звонить 8 999 888-77-66" },
      "Ремни 10 шт, 26.01.2026, звонить • ••• •••-••-••" },
  },
}
