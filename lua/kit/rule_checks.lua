--- What the application expects of the rules product people edit, beyond that they are Lua: looked at on every load, so
--- that a wrong price or an unknown word is refused with its line and not found out by drivers.
---
--- A check gets the rule and add(sentence, near, within): `near` is a piece of the source whose line is named, the first
--- one after the piece `within`.
local host = host
local lists = require "kit.lists"
local nearest = require "kit.nearest"
local schema = require "kit.schema"
local sorted_names = require "kit.sorted_names"

-- What other code calls or reads.
local MEMBERS = {
  access = { features = "table", allowed = "function", all = "function", mask_phones = "function" },
  card = { format = "function", detail = "function", price = "function", whole_roubles = "function", day_month = "function" },
  filters = { fields = "table", remembered = "table", weight_volume_presets = "table", radius_choices = "table" },
  flags = { defaults = "table", is_on = "function" },
  phone = { normalise = "function", shown = "function" },
  promo = { days = "table", alphabet = "string", generated_length = "number", is_code = "function", normalised = "function",
    problems = "function", refusal = "function" },
  query = { build = "function" },
  refunds = { days_to_take = "function" },
  responses = { can = "function", buttons = "function", poll_s = "function", status_of = "function" },
  tariffs = { list = "table", problem = "function", amount = "function", kopecks = "function" },
  texts = { problems = "table", fields = "table", app = "table", bot_texts = "table", say = "function", problem = "function",
    field = "function", bot = "function", plural = "function", month = "function", language_of = "function" },
}

local function shown(value)
  if type(value) == "table" or type(value) == "function" then return "a " .. type(value) end
  return type(value) == "string" and '"' .. value .. '"' or tostring(value)
end

-- What was meant, when a name is near.
local function hint(meant)
  return meant and (" (did you mean %s?)"):format(meant) or ""
end

local checks = {}

local function is_whole(value, min, max)
  return type(value) == "number" and value == math.floor(value) and value >= min and value <= max
end

-- Names that must be there, and no others: `what` they are called, where their list begins.
local function check_names(map, names, what, begin, add)
  local misspelt = {}
  for _, name in ipairs(sorted_names(map)) do
    if not lists.contains(names, name) then
      local meant = nearest(name, names)
      misspelt[meant or ""] = true
      add(("there is no %s %s%s"):format(what, name, hint(meant)), name .. " =")
    end
  end
  for _, name in ipairs(names) do
    if map[name] == nil and not misspelt[name] then
      add(("the %s %s is missing (expected %s)"):format(what, name, table.concat(names, ", ")), begin)
    end
  end
end

local FEATURES = { "list", "detail", "view_contacts", "respond" }

function checks.access(rule, add)
  check_names(rule.features, FEATURES, "feature", "FEATURES", add)
  for _, name in ipairs(FEATURES) do
    local price = rule.features[name]
    if price ~= nil and price ~= "free" and price ~= "paid" then
      add(("%s is neither free nor paid (expected \"free\" or \"paid\", got %s)"):format(name, shown(price)), name .. " =")
    end
  end
end

local FLAGS = { "payments", "promo_codes", "responses" } -- what the application asks for

-- There may be more; but one that is asked for and misspelt would be off for everybody.
function checks.flags(rule, add)
  local misspelt = {}
  for _, name in ipairs(sorted_names(rule.defaults)) do
    local meant = not lists.contains(FLAGS, name) and nearest(name, FLAGS)
    if meant and rule.defaults[meant] == nil then
      misspelt[meant] = true
      add(("there is no flag %s (did you mean %s?)"):format(name, meant), name .. " =")
    elseif type(rule.defaults[name]) ~= "boolean" then
      add(("the flag %s is neither on nor off (expected true or false, got %s)"):format(name, shown(rule.defaults[name])), name .. " =")
    end
  end
  for _, name in ipairs(FLAGS) do
    if rule.defaults[name] == nil and not misspelt[name] then
      add(("the flag %s is missing (expected true or false)"):format(name), "defaults")
    end
  end
end

local ACTIONS = { "extend_30", "extend_60", "extend_90", "activate_trial" }
local DAYS = { extend_30 = 30, extend_60 = 60, extend_90 = 90, activate_trial = 7 } -- as the database has them (0009_promo_codes)

function checks.promo(rule, add)
  check_names(rule.days, ACTIONS, "promo action", "DAYS", add)
  for _, name in ipairs(ACTIONS) do
    local days = rule.days[name]
    if days ~= nil and days ~= DAYS[name] then
      add(("%s gives a wrong number of days (expected %d, which the database holds it to, got %s)"):format(name, DAYS[name],
        shown(days)), name .. " =")
    end
  end
  if not rule.alphabet:find "^[A-Z0-9]+$" then
    add(("the letters of made-up codes are wrong (expected A-Z and 0-9 in quotes, got %s)"):format(shown(rule.alphabet)), "ALPHABET =")
  end
  if not is_whole(rule.generated_length, 6, 50) then
    add(("made-up codes have a wrong length (expected a whole number from 6 to 50, got %s)"):format(shown(rule.generated_length)),
      "generated_length =")
  end
end

local WORDS_OF_TARIFFS = {
  name = "its name (expected small letters a-z, digits and _ in quotes)",
  title = "its title (expected { ru = \"…\", en = \"…\" })",
  days = "its days (expected a whole number from 1 to 3660)",
  ["not a table"] = "it (expected { name = …, title = …, days = …, price_kopecks = … })",
  price_kopecks = "its price (expected rub(499), from 1 to 1000000 roubles)",
  on_sale = "on_sale (expected true or false, got %s)",
  badge = "its badge (expected a text in quotes, got %s)",
}

local TARIFF_MEMBERS = { "name", "title", "days", "price_kopecks", "badge", "on_sale" }

-- What of a tariff would be passed over in silence.
local function check_tariff(tariff, add)
  local near, what = ('"%s"'):format(tariff.name), ("tariff %s: "):format(tariff.name)
  for _, member in ipairs(sorted_names(tariff)) do
    if not lists.contains(TARIFF_MEMBERS, member) then
      local meant = nearest(member, TARIFF_MEMBERS)
      add(("%s'%s' means nothing%s"):format(what, member, hint(meant)), near)
    end
  end
end

function checks.tariffs(rule, add)
  local wrong = rule.problem(rule.list)
  if wrong == "" then
    if not lists.is_plain(rule.list) then
      add("the list of tariffs has a gap or a name of its own in it (expected { name = … }, { name = … }, …)", "list = {")
    end
    for _, tariff in ipairs(rule.list) do check_tariff(tariff, add) end
    return
  end
  local index, member = wrong:match "^tariff (%d+): wrong (.+)$"
  local tariff = index and rule.list[tonumber(index)]
  local is_table = type(tariff) == "table"
  local name = is_table and type(tariff.name) == "string" and tariff.name
  if not member then return add(wrong .. " (expected at least one, each with a name of its own)", "list = {") end
  local words = (WORDS_OF_TARIFFS[member] or member):format(shown(is_table and tariff[member]))
  add(("tariff %s: look at %s"):format(name or "number " .. index, words),
    name and ('"%s"'):format(name) or "list = {")
end

local NUMBER, TEXT, LIST, FUNCTION = "number", "string", "table", "function"
local FIELD_MEMBERS = { type = TEXT, min = NUMBER, max = NUMBER, max_items = NUMBER, min_length = NUMBER, max_length = NUMBER,
  pattern = TEXT, none = TEXT, about = TEXT, one_of = LIST, aliases = LIST, check = FUNCTION, required = "boolean", trim = "boolean" }
local KIND_WORDS = { number = "a number", string = "a text in quotes", table = "a list", ["function"] = "a function",
  boolean = "true or false" }

-- Gives false when a member is wrong.
local function check_field_members(name, field, add)
  local is_right, near = true, name .. " = {"
  for _, member in ipairs(sorted_names(field)) do
    local value, wanted = field[member], FIELD_MEMBERS[member]
    if not wanted and member ~= "default" then
      local meant = nearest(member, sorted_names(FIELD_MEMBERS))
      is_right = false
      add(("the filter %s: '%s' means nothing%s"):format(name, member,
        hint(meant)), near, "fields = {")
    elseif wanted and (type(value) ~= wanted or value ~= value) then
      is_right = false
      add(("the filter %s has a wrong %s (expected %s, got %s)"):format(name, member, KIND_WORDS[wanted], shown(value)),
        near, "fields = {")
    end
  end
  return is_right
end

local function check_field(name, field, add)
  local near = name .. " = {"
  if type(field) ~= "table" then return add(("the filter %s is no table"):format(name), name .. " =", "fields = {") end
  if not schema.knows(field.type) then
    return add(("the filter %s has an unknown type (expected integer, date, ids, range or string, got %s)"):format(name,
      shown(field.type)), near, "fields = {")
  end
  if not check_field_members(name, field, add) then return end
  if field.min and field.max and field.min > field.max then
    return add(("the filter %s has a min above its max"):format(name), near, "fields = {")
  end
  if field.default == nil then return end
  local read = schema.parse({ [name] = field }, { [name] = field.default })
  if not read or read[name] ~= field.default then
    add(("the filter %s has a default that it does not accept itself (%s)"):format(name, shown(field.default)), near, "fields = {")
  end
end

-- A list whose every item is_right(item).
local function check_items(list, name, words, is_right, add)
  for _, item in ipairs(list) do
    if not is_right(item) then add(("%s holds what it cannot (expected %s, got %s)"):format(name, words, shown(item)), name .. " =") end
  end
  if #list == 0 or not lists.is_plain(list) then add(("%s is no list (expected %s)"):format(name, words), name .. " =") end
end

function checks.filters(rule, add)
  for _, name in ipairs(sorted_names(rule.fields)) do check_field(name, rule.fields[name], add) end
  for _, name in ipairs(rule.remembered) do
    if not rule.fields[name] then
      local near = nearest(tostring(name), sorted_names(rule.fields))
      add(("remembered names a filter that does not exist: %s%s"):format(type(name) == "string" and name or shown(name),
        hint(near)), "remembered")
    end
  end
  if not rule.fields.limit or not rule.fields.offset then add("the filters limit and offset must stay", "fields = {") end
  check_items(rule.radius_choices, "radius_choices", "whole kilometres, like { 0, 50, 100 }", function(km)
    return is_whole(km, 0, 1000)
  end, add)
  check_items(rule.weight_volume_presets, "weight_volume_presets", "tonnes and cubic metres, like { \"20-83\" }", function(preset)
    return type(preset) == "string" and preset:find "^%d+%.?%d*%-%d+%.?%d*$" ~= nil
  end, add)
end

-- The names in braces of a sentence, sorted.
local function placeholders(sentence)
  local names, list = {}, {}
  for name in sentence:gmatch "{([%w_]+)" do names[name] = true end
  for name in pairs(names) do list[#list + 1] = "{" .. name .. "}" end
  table.sort(list)
  return table.concat(list, " ")
end

local FORMS = { Russian = 3, English = 2 }

-- {days|день|дня|дней}: the word after 1, 2 and 5; in English after 1 and 2.
local function wrong_plural(sentence, language)
  for inside in sentence:gmatch "{([^}]*|[^}]*)}" do
    if select(2, inside:gsub("|", "")) ~= FORMS[language] then return "{" .. inside .. "}" end
  end
end

local STATUSES = { "queued", "sent", "accepted", "rejected", "completed", "failed" } -- those of the database

function checks.responses(rule, add)
  local seen = {}
  for _, button in ipairs(rule.buttons "queued") do
    local near = ("letter = %q"):format(tostring(button.letter))
    if type(button.letter) ~= "string" or not button.letter:find "^%l$" or seen[button.letter] then
      add(("the letter of a button is wrong (expected one small letter of its own, got %s)"):format(shown(button.letter)), near)
    elseif not lists.contains(STATUSES, button.status) then
      add(("a button makes an unknown status (expected %s, got %s)"):format(table.concat(STATUSES, ", "), shown(button.status)), near)
    end
    seen[button.letter or ""] = true
  end
end

local GROUPS = { "problems", "fields", "app", "bot_texts" }
local BEGINNING = { problems = "local problems = {", fields = "local fields = {", app = "local app = {", bot_texts = "local bot = {" }

local function check_sentence(key, pair, within, add)
  local near = key .. " = {"
  if type(pair) ~= "table" or type(pair[1]) ~= "string" or type(pair[2]) ~= "string" then
    return add(("the text %s needs two languages (expected { \"русский\", \"English\" })"):format(key), key .. " =", within)
  end
  if pair[1] == "" then return add(("the text %s is empty in Russian"):format(key), near, within) end
  if pair[2] == "" then return add(("the text %s is empty in English"):format(key), near, within) end
  for language, sentence in pairs { Russian = pair[1], English = pair[2] } do
    local opened, closed = select(2, sentence:gsub("{", "")), select(2, sentence:gsub("}", ""))
    if opened ~= closed then return add(("the text %s has a { without its } in %s"):format(key, language), near, within) end
    local plural = wrong_plural(sentence, language)
    if plural then
      return add(("the text %s has a wrong number of forms in %s: %s (expected {n|день|дня|дней}, {n|day|days})"):format(key, language,
        plural), near, within)
    end
  end
  if placeholders(pair[1]) ~= placeholders(pair[2]) then
    add(("the text %s is filled in differently by language (Russian: %s, English: %s)"):format(key,
      placeholders(pair[1]), placeholders(pair[2])), near, within)
  end
end

-- Where the sources say a sentence by its name: folder, the group it is of, what stands around the name.
local USES = {
  { "lua/web", "app", { '[^%w_]t%s*%(?%s*"([%w_]+)"%s*([^%s])', 'texts%.say%s*%(?%s*"([%w_]+)"%s*([^%s])' } },
  { "lua/services", "bot_texts", { 'texts%.bot%s*%(?%s*"([%w_]+)"%s*([^%s])' } },
  { "lua/rules", "bot_texts", { '%f[%w_]text%s*=%s*"([%w_]+)"%s*([,}])' } }, -- the buttons of lua/rules/responses.lua
  { "lua/contracts", "problems", { "%f[%w_]([%l_]+)%s*=%s*[45]%d%d%s*([,}])" } },
}
-- Those of the panel and of other contracts have words elsewhere.
local function says_by_name(path, source)
  return (path:find "%.lua$" or path:find "%.html$") and not path:find "/admin/" and not source:find 'access = "internal"'
end

local function note_uses(source, patterns, used, path)
  for _, pattern in ipairs(patterns) do
    for key, behind in source:gmatch(pattern) do
      if behind ~= "." then used[key] = used[key] or path end -- else its name is put together
    end
  end
end

local function check_uses(rule, add)
  for _, use in ipairs(USES) do
    local folder, group, patterns, used = use[1], use[2], use[3], {}
    for _, path in ipairs(host.script.list(folder)) do
      local source = host.script.read(path)
      if says_by_name(path, source) then note_uses(source, patterns, used, path) end
    end
    for _, key in ipairs(sorted_names(used)) do
      if rule[group][key] == nil then
        local meant = nearest(key, sorted_names(rule[group]))
        add(("the text %s is missing (%s says it)%s"):format(key, used[key], meant and (": is it now %s?"):format(meant) or ""),
          BEGINNING[group])
      end
    end
  end
end

function checks.texts(rule, add)
  for _, group in ipairs(GROUPS) do
    for _, key in ipairs(sorted_names(rule[group])) do check_sentence(key, rule[group][key], BEGINNING[group], add) end
  end
  check_uses(rule, add)
end

local rule_checks = {}

--- Rules without which the application does not run, sorted.
function rule_checks.names()
  return sorted_names(MEMBERS)
end

--- @param name string
--- @param rule table
--- @param add fun(sentence: string, near: string?, within: string?)
function rule_checks.run(name, rule, add)
  local whole = true
  for _, member in ipairs(sorted_names(MEMBERS[name] or {})) do
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
