--- Contract 2.4: points of the dictionary by a part of their name.
local contract = require "kit.contract"
local decimal = require "kit.decimal"
local dictionaries = require "services.dictionaries"
local text = require "kit.text"
local host = host

local LIMIT = 10
local MAX_CHARACTERS = 100

local CITY = 2 -- type of a point

local function read_point(raw)
  local id = dictionaries.id_of(raw)
  local name = id and dictionaries.text_of(raw.name)
  return name and { id = id, name = name, type = decimal.is_integer(raw.type) and raw.type or CITY } or nil
end

local function read_points(raw)
  local points = host.json.array {}
  for _, entry in ipairs(raw) do points[#points + 1] = read_point(entry) end
  return points
end

return contract {
  name = "cargo.search_cities", number = "2.4", access = "driver",
  about = "Cities and regions whose name holds the text; empty or degraded rather than an error.",
  input = { q = { type = "any", aliases = { "filter[name]", "name" }, about = "1 to 100 characters" } },
  output = {
    data = { type = "list", items = { type = "object", fields = {
      id = { type = "integer" }, name = { type = "string" }, type = { type = "integer" },
    } } },
    degraded = { type = "boolean", optional = true },
  },
  errors = {},

  run = function(input)
    local query = type(input.q) == "string" and text.squeeze(input.q) or ""
    local length = text.length(query)
    if not length or length < 1 or length > MAX_CHARACTERS or text.has_control(query) then
      return { data = host.json.array {} }
    end
    local raw, state = dictionaries.points(query, LIMIT)
    if not raw then return { data = host.json.array {}, degraded = true } end
    return { data = read_points(raw), degraded = state == "stale" or nil }
  end,
}
