--- Reads the settings of one plugin by the schema it brings, and finds all that is wrong at once.
---
---   config = { origins = { type = "list", required = true, doc = "…" }, max_age_s = { type = "integer", default = 600, min = 0 } }
---
--- type      string, secret (a string never shown), url, integer (or int), number, boolean, list (of strings)
--- default, required, one_of, doc (doc_ru: the same for the panel); min and max: of a number, or of the length of a string or list
--- check     function(value) giving what is wrong with it as a sentence, or nil
local nearest = require "kit.nearest"

local plugin_config = {}

local function is_text(value)
  return type(value) == "string" and value ~= ""
end

local function is_list(value)
  if type(value) ~= "table" then return false end
  local count = 0
  for _, item in pairs(value) do
    count = count + 1
    if not is_text(item) then return false end
  end
  return count == #value
end

local types = {
  string = { is_text, "a text" },
  secret = { is_text, "a text" },
  url = { function(value) return is_text(value) and value:find "^https?://[^%s/]+" ~= nil end, "a URL like https://host/path" },
  integer = { function(value)
    return type(value) == "number" and value == math.floor(value) and math.abs(value) <= 2 ^ 53
  end, "a whole number" },
  number = { function(value) return type(value) == "number" and value == value end, "a number" },
  boolean = { function(value) return type(value) == "boolean" end, "true or false" },
  list = { is_list, "a list of texts" },
}

local FIELD_MEMBERS = { type = "string", default = "any", required = "boolean", one_of = "table", doc = "string", doc_ru = "string",
  min = "number", max = "number", check = "function" }

local function shown(value, field)
  if field and field.type == "secret" then return "a secret" end
  if type(value) == "table" then return "a table" end
  return type(value) == "string" and '"' .. value .. '"' or tostring(value)
end

local function size_of(value)
  return type(value) == "number" and value or #value
end

local function within(value, field)
  local what = type(value) == "number" and "" or type(value) == "string" and " bytes" or " items"
  local size = size_of(value)
  if field.min and size < field.min then
    return ("is too small (expected at least %s%s, got %s)"):format(field.min, what, size), "min"
  end
  if field.max and size > field.max then
    return ("is too large (expected at most %s%s, got %s)"):format(field.max, what, size), "max"
  end
end

local function one_of(value, field)
  for _, allowed in ipairs(field.one_of or {}) do
    if allowed == value then return nil end
  end
  return field.one_of and ("is unknown (expected %s, got %s)"):format(table.concat(field.one_of, " or "), shown(value, field))
end

--- What is wrong with a value that is there: a sentence and its kind (kind, min, max, one_of, check); nil when nothing is.
--- @return string?
--- @return string? code
function plugin_config.judge(value, field)
  local kind = types[field.type]
  if not kind[1](value) then return ("is of the wrong kind (expected %s, got %s)"):format(kind[2], shown(value, field)), "kind" end
  local wrong, code
  if type(value) ~= "boolean" then wrong, code = within(value, field) end
  if wrong then return wrong, code end
  wrong = one_of(value, field)
  if wrong then return wrong, "one_of" end
  wrong = field.check and field.check(value)
  return wrong or nil, wrong and "check" or nil
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

local function copy(value)
  if type(value) ~= "table" then return value end
  local made = {}
  for key, item in pairs(value) do made[key] = copy(item) end
  return made
end

local function check_field(name, field, add)
  if type(field) == "table" and field.type == "int" then field.type = "integer" end
  if type(field) ~= "table" or not types[field.type] then
    return add(("config.%s: needs a type (expected %s)"):format(tostring(name), table.concat(sorted_keys(types), ", ")))
  end
  for _, member in ipairs(sorted_keys(field)) do
    local wanted = FIELD_MEMBERS[member]
    if not wanted then
      return add(("config.%s.%s: is no attribute of a setting (expected one of %s)"):format(name, tostring(member),
        table.concat(sorted_keys(FIELD_MEMBERS), ", ")))
    elseif wanted ~= "any" and type(field[member]) ~= wanted then
      return add(("config.%s.%s: is of the wrong kind (expected a %s, got a %s)"):format(name, member, wanted, type(field[member])))
    end
  end
  local wrong = field.default ~= nil and plugin_config.judge(field.default, field)
  if wrong then add(("config.%s.default: %s"):format(name, wrong)) end
end

--- What is wrong with the schema itself: sentences, each beginning with the field. Completes the schema: `int` is `integer`.
--- @return string[]
function plugin_config.check_schema(schema)
  local problems = {}
  for _, name in ipairs(sorted_keys(schema)) do
    check_field(name, schema[name], function(sentence) problems[#problems + 1] = sentence end)
  end
  return problems
end

--- @param schema table
--- @param given table
--- @return table values
--- @return {key: string, text: string, code: string}[] problems  code: of judge(), or unknown, missing
function plugin_config.read(schema, given)
  local values, problems = {}, {}
  local function add(key, text, code) problems[#problems + 1] = { key = tostring(key), text = text, code = code } end
  for _, key in ipairs(sorted_keys(given)) do
    if not schema[key] then
      local meant = nearest(tostring(key), sorted_keys(schema))
      add(key, "is no setting of this plugin" .. (meant and (" (did you mean '%s'?)"):format(meant) or ""), "unknown")
    end
  end
  for _, key in ipairs(sorted_keys(schema)) do
    local field, value = schema[key], given[key]
    if value == nil then value = copy(field.default) end
    if value == nil and field.required then
      add(key, ("is missing (expected %s%s)"):format(types[field.type][2], field.doc and ": " .. field.doc or ""), "missing")
    elseif value ~= nil then
      local wrong, code = plugin_config.judge(value, field)
      if wrong then add(key, wrong, code) end
    end
    values[key] = value
  end
  return values, problems
end

--- The settings for people: secrets hidden.
function plugin_config.shown(schema, values)
  local list = {}
  for _, key in ipairs(sorted_keys(schema)) do
    local value = values[key]
    if schema[key].type == "secret" and value ~= nil then value = "***" end
    if value ~= nil then list[key] = copy(value) end
  end
  return list
end

return plugin_config
