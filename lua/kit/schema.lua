--- The one typed parser for what comes in by query, form and JSON, and the checker of what contracts give back.
--- The same field tables make OpenAPI, so a field is described once:
---
---   limit = { type = "integer", min = 1, max = 100, default = 20, about = "page size" }
---
--- Common members: type, required, default, nullable (outputs), one_of, check (a function value → code, details),
--- aliases (other names it may come by), none (a word that means absent), about. An empty string and JSON null are the same as absent.
local host = host
local text = require "kit.text"

local schema = {}

local function is_null(value)
  return value == nil or (host ~= nil and value == host.json.null)
end

-- Each reader takes the raw value and the field and gives: value, or nil, code, details.
local readers = {}

function readers.string(value, field)
  if type(value) ~= "string" then return nil, "string" end
  local length = text.length(value)
  if not length or (value:find "[%z\1-\8\11\12\14-\31\127]") then return nil, "invalid_text" end
  if field.min_length and length < field.min_length then return nil, "too_short", { min = field.min_length } end
  if field.max_length and length > field.max_length then return nil, "too_long", { max = field.max_length } end
  if field.pattern and not value:find(field.pattern) then return nil, "format" end
  return value
end

local function within(value, field)
  if field.min and value < field.min then return nil, "min", { min = field.min } end
  if field.max and value > field.max then return nil, "max", { max = field.max } end
  return value
end

--- Plain decimal digits only: no "62.0", no "+5", no exponent, no digits of other scripts.
function readers.integer(value, field)
  if type(value) == "string" then
    value = value:match "^%-?%d+$" and not value:find "^%-0+$" and #value <= 16 and tonumber(value)
  end
  if type(value) ~= "number" or value ~= math.floor(value) or math.abs(value) > 2 ^ 53 then return nil, "integer" end
  return within(value + 0, field) -- the -0 of JSON is 0
end

function readers.number(value, field)
  if type(value) == "string" then
    value = (value:match "^-?%d+$" or value:match "^-?%d+%.%d+$") and tonumber(value)
  end
  if type(value) ~= "number" or value ~= value or math.abs(value) == math.huge then return nil, "number" end
  return within(value, field)
end

function readers.boolean(value)
  if value == true or value == "true" then return true end
  if value == false or value == "false" then return false end
  return nil, "boolean"
end

function readers.uuid(value)
  local shape = "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$"
  if type(value) ~= "string" or not value:find(shape) then return nil, "uuid" end
  return value:lower()
end

function readers.url(value)
  if type(value) ~= "string" or #value > 2048 or value:find "[%z\1-\32\127\"<>\\]"
    or not value:find "^https?://[%w%[][^/?#]*" then
    return nil, "url"
  end
  return value
end

local MONTH_DAYS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

--- Does the calendar have this day?
function schema.is_date(year, month, day)
  if month < 1 or month > 12 or day < 1 or year < 1 then return false end
  local leap = month == 2 and (year % 4 == 0 and year % 100 ~= 0 or year % 400 == 0)
  return day <= (leap and 29 or MONTH_DAYS[month])
end

function readers.date(value)
  local year, month, day = tostring(value):match "^(%d%d%d%d)-(%d%d)-(%d%d)$"
  if type(value) ~= "string" or not year or not schema.is_date(tonumber(year), tonumber(month), tonumber(day)) then
    return nil, "date"
  end
  return value
end

--- "1,2,3": ids without spaces, repeats counted too; given back as the same text without repeats.
function readers.ids(value, field)
  if type(value) == "number" then value = ("%.0f"):format(value) end
  if type(value) ~= "string" or not ("," .. value):find "^[,%d]+$" or ("," .. value .. ","):find(",,", 1, true) then
    return nil, "ids"
  end
  local kept, seen, count = {}, {}, 0
  for id in value:gmatch "%d+" do
    if #id > 15 or tonumber(id) == 0 then return nil, "ids" end
    count = count + 1
    if not seen[id] then
      seen[id] = true
      kept[#kept + 1] = id
    end
  end
  if field.max_items and count > field.max_items then return nil, "too_many", { max = field.max_items } end
  return table.concat(kept, ",")
end

--- "min,max": two non-negative integers, min ≤ max.
function readers.range(value)
  local low, high = tostring(value):match "^(%d+),(%d+)$"
  if type(value) ~= "string" or not low or #low > 15 or #high > 15 then return nil, "range" end
  if tonumber(low) > tonumber(high) then return nil, "range_order" end
  return ("%.0f,%.0f"):format(tonumber(low), tonumber(high))
end

function readers.object(value)
  if type(value) ~= "table" then return nil, "object" end
  return value
end
readers.list = readers.object

function readers.any(value)
  return value
end

--- Is there such a type of field?
function schema.knows(kind)
  return readers[kind] ~= nil
end

local function one_of(value, allowed)
  for _, candidate in ipairs(allowed) do
    if candidate == value then return value end
  end
  return nil, "one_of", { allowed = table.concat(allowed, ", ") }
end

-- A field's raw value: by its own name first, then by its aliases.
local function raw_value(name, field, values)
  local raw = values[name]
  for _, alias in ipairs(field.aliases or {}) do
    if not is_null(raw) then break end
    raw = values[alias]
  end
  return raw
end

local function read(field, raw)
  local reader = readers[field.type] or error("unknown field type " .. tostring(field.type))
  if type(raw) == "string" and field.trim ~= false then raw = text.trim(raw) end
  if is_null(raw) or raw == "" or raw == field.none then
    if field.required then return nil, "required" end
    return field.default
  end
  local value, code, details = reader(raw, field)
  if code == nil and field.one_of then value, code, details = one_of(value, field.one_of) end
  if code == nil and field.check then
    code, details = field.check(value)
  end
  return value, code, details
end

--- Read `values` by `fields`. Unknown values are ignored.
--- @return table? result
--- @return {field: string, code: string, details: table?}[]? problems  all of them, sorted by field
function schema.parse(fields, values)
  local result, problems = {}, {}
  for name, field in pairs(fields) do
    local raw = raw_value(name, field, values)
    local value, code, details
    if type(raw) == "table" and raw.repeated then
      if field.type == "ids" then raw = table.concat(raw, ",") else code = "repeated" end
    end
    if not code then value, code, details = read(field, raw) end
    if code then
      problems[#problems + 1] = { field = name, code = code, details = details }
    else
      result[name] = value
    end
  end
  if #problems == 0 then return result end
  table.sort(problems, function(a, b) return a.field < b.field end)
  return nil, problems
end

--- Pairs of a query or form as values for parse(): a key that came more than once holds a list marked `repeated`.
--- @param pairs_list string[][]
function schema.from_pairs(pairs_list)
  local values = {}
  for _, pair in ipairs(pairs_list) do
    local key, value, present = pair[1], pair[2], values[pair[1]]
    if present == nil then
      values[key] = value
    elseif type(present) == "table" then
      present[#present + 1] = value
    else
      values[key] = { present, value, repeated = true }
    end
  end
  return values
end

local matches

local function match_members(fields, value, path)
  for name, field in pairs(fields) do
    local problem = matches(field, value[name], path .. "." .. name)
    if problem then return problem end
  end
end

local function match_items(field, value, path)
  if not field.items then return end
  for index, item in ipairs(value) do
    local problem = matches(field.items, item, ("%s[%d]"):format(path, index))
    if problem then return problem end
  end
end

function matches(field, value, path)
  if is_null(value) then
    return not (field.nullable or field.optional) and path .. ": missing" or nil
  end
  if field.type == "integer" and type(value) == "string" then return path .. ": a string where an integer is due" end
  local _, code = readers[field.type](value, field)
  if code then return ("%s: not %s"):format(path, code) end
  if field.one_of and not one_of(value, field.one_of) then return path .. ": not one of the allowed values" end
  if field.fields then return match_members(field.fields, value, path) end
  if field.type == "list" then return match_items(field, value, path) end
end

local complete

local function complete_members(fields, value)
  for name, field in pairs(fields) do
    if value[name] == nil then
      if field.nullable then value[name] = host.json.null end
    else
      complete(field, value[name])
    end
  end
end

function complete(field, value)
  if type(value) ~= "table" then return end
  if field.fields then complete_members(field.fields, value) end
  if field.type == "list" then
    host.json.array(value)
    for _, item in ipairs(field.items and field.items.fields and value or {}) do complete(field.items, item) end
  end
end

--- Make a result ready for JSON: nullable members that are missing become null, lists stay lists when empty.
--- Changes and returns `value`.
function schema.complete(fields, value)
  complete_members(fields, value)
  return value
end

--- Does a contract's result keep its promise? nil, or one sentence naming the first member that does not.
function schema.mismatch(fields, value)
  if type(value) ~= "table" then return "result: not a table" end
  return match_members(fields, value, "result")
end

return schema
