--- What the application expects of the rules product people edit, beyond that they are Lua: looked at on every load, so
--- that a wrong price or an unknown word is refused with its line and not found out by drivers.
---
--- A check gets the rule and add(sentence, near): `near` is a piece of the source whose line is named.
local nearest = require "kit.nearest"
local schema = require "kit.schema"

-- What other code calls or reads.
local MEMBERS = {
  access = { features = "table", allowed = "function", all = "function", mask_phones = "function" },
  card = { format = "function", detail = "function", price = "function" },
  filters = { fields = "table", remembered = "table", weight_volume_presets = "table", radius_choices = "table" },
  flags = { defaults = "table", is_on = "function" },
  phone = { normalise = "function", shown = "function" },
  promo = { days = "table", is_code = "function", normalised = "function", problems = "function", refusal = "function" },
  query = { build = "function" },
  refunds = { days_to_take = "function" },
  responses = { can = "function", buttons = "function", poll_s = "function", status_of = "function" },
  tariffs = { list = "table", problem = "function", amount = "function", kopecks = "function" },
  texts = { problems = "table", fields = "table", app = "table", bot_texts = "table", say = "function", problem = "function" },
}

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = tostring(key) end
  table.sort(keys)
  return keys
end

local function shown(value)
  return type(value) == "string" and '"' .. value .. '"' or tostring(value)
end

local checks = {}

local FEATURES = { "list", "detail", "view_contacts", "respond" }

local function is_among(name, names)
  for _, known in ipairs(names) do
    if known == name then return true end
  end
  return false
end

function checks.access(rule, add)
  local misspelt = {}
  for _, name in ipairs(sorted_keys(rule.features)) do
    local price = rule.features[name]
    if not is_among(name, FEATURES) then
      local meant = nearest(name, FEATURES)
      misspelt[meant or ""] = true
      add(("there is no feature %s%s"):format(name, meant and (" (did you mean %s?)"):format(meant) or ""), name .. " =")
    elseif price ~= "free" and price ~= "paid" then
      add(("%s is neither free nor paid (expected \"free\" or \"paid\", got %s)"):format(name, shown(price)), name .. " =")
    end
  end
  for _, name in ipairs(FEATURES) do
    if rule.features[name] == nil and not misspelt[name] then
      add(("the feature %s is missing (expected \"free\" or \"paid\")"):format(name), "FEATURES")
    end
  end
end

function checks.flags(rule, add)
  for _, name in ipairs(sorted_keys(rule.defaults)) do
    if type(rule.defaults[name]) ~= "boolean" then
      add(("the flag %s is neither on nor off (expected true or false, got %s)"):format(name, shown(rule.defaults[name])), name .. " =")
    end
  end
end

function checks.promo(rule, add)
  for _, name in ipairs(sorted_keys(rule.days)) do
    local days = rule.days[name]
    if type(days) ~= "number" or days < 1 or days ~= math.floor(days) then
      add(("%s gives a wrong number of days (expected a whole number from 1, got %s)"):format(name, shown(days)), name .. " =")
    end
  end
end

local WORDS_OF_TARIFFS = {
  name = "its name (expected small letters a-z, digits and _ in quotes)",
  title = "its title (expected { ru = \"…\", en = \"…\" })",
  days = "its days (expected a whole number from 1 to 3660)",
  price_kopecks = "its price (expected rub(499), from 1 to 1000000 roubles)",
}

function checks.tariffs(rule, add)
  local wrong = rule.problem(rule.list)
  if wrong == "" then return end
  local index, member = wrong:match "^tariff (%d+): wrong (%w+[%w_]*)$"
  local tariff = index and rule.list[tonumber(index)]
  local name = type(tariff) == "table" and type(tariff.name) == "string" and tariff.name
  if not member then return add(wrong .. " (expected at least one, each with a name of its own)", "list = {") end
  add(("tariff %s: look at %s"):format(name or "number " .. index, WORDS_OF_TARIFFS[member] or member),
    name and ('"%s"'):format(name) or "list = {")
end

local function check_field(name, field, add)
  local near = name .. " = {"
  if type(field) ~= "table" then return add(("the filter %s is no table"):format(name), name .. " =") end
  if not schema.knows(field.type) then
    return add(("the filter %s has an unknown type (expected integer, date, ids, range or string, got %s)"):format(name,
      shown(field.type)), near)
  end
  if field.min and field.max and field.min > field.max then
    add(("the filter %s has a min above its max"):format(name), near)
  end
  if type(field.default) == "number" and (field.min and field.default < field.min or field.max and field.default > field.max) then
    add(("the filter %s has a default that it does not accept itself (%s)"):format(name, shown(field.default)), near)
  end
end

function checks.filters(rule, add)
  for _, name in ipairs(sorted_keys(rule.fields)) do check_field(name, rule.fields[name], add) end
  for _, name in ipairs(rule.remembered) do
    if not rule.fields[name] then
      local near = nearest(tostring(name), sorted_keys(rule.fields))
      add(("remembered names a filter that does not exist: %s%s"):format(tostring(name),
        near and (" (did you mean %s?)"):format(near) or ""), "remembered")
    end
  end
  if not rule.fields.limit or not rule.fields.offset then add("the filters limit and offset must stay", "fields = {") end
end

-- The names in braces of a sentence, sorted.
local function placeholders(sentence)
  local names, list = {}, {}
  for name in sentence:gmatch "{([%w_]+)" do names[name] = true end
  for name in pairs(names) do list[#list + 1] = "{" .. name .. "}" end
  table.sort(list)
  return table.concat(list, " ")
end

local function check_sentence(key, pair, add)
  local near = key .. " = {"
  if type(pair) ~= "table" or type(pair[1]) ~= "string" or type(pair[2]) ~= "string" then
    return add(("the text %s needs two languages (expected { \"русский\", \"English\" })"):format(key), key .. " =")
  end
  if pair[1] == "" then return add(("the text %s is empty in Russian"):format(key), near) end
  for language, sentence in pairs { Russian = pair[1], English = pair[2] } do
    local opened, closed = select(2, sentence:gsub("{", "")), select(2, sentence:gsub("}", ""))
    if opened ~= closed then return add(("the text %s has a { without its } in %s"):format(key, language), near) end
  end
  if placeholders(pair[1]) ~= placeholders(pair[2]) then
    add(("the text %s is filled in differently by language (Russian: %s, English: %s)"):format(key,
      placeholders(pair[1]), placeholders(pair[2])), near)
  end
end

function checks.texts(rule, add)
  for _, group in ipairs { "problems", "fields", "app", "bot_texts" } do
    for _, key in ipairs(sorted_keys(rule[group])) do check_sentence(key, rule[group][key], add) end
  end
end

local rule_checks = {}

--- Rules without which the application does not run, sorted.
function rule_checks.names()
  return sorted_keys(MEMBERS)
end

--- @param name string
--- @param rule table
--- @param add fun(sentence: string, near: string?)
function rule_checks.run(name, rule, add)
  local whole = true
  for _, member in ipairs(sorted_keys(MEMBERS[name] or {})) do
    local wanted = MEMBERS[name][member]
    if type(rule[member]) ~= wanted then
      whole = false
      add(("'%s' is missing or wrong (expected a %s among what the rule returns, got %s)"):format(member, wanted,
        rule[member] == nil and "nothing" or "a " .. type(rule[member])), "return {")
    end
  end
  if whole and checks[name] then checks[name](rule, add) end
end

return rule_checks
