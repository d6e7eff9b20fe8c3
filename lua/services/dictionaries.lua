--- The exchange's dictionaries: points, load types, truck types.
local host = host
local cargo_api = require "services.cargo_api"
local copies = require "services.copies"
local decimal = require "kit.decimal"
local text = require "kit.text"

local dictionaries = {}

local function get(spec)
  local lives = host.config.cache
  local copy, state, problem = copies.get {
    name = spec.name, key = spec.key, fresh_s = lives.points_s, keep_s = lives.stale_s,
    fetch = function() return cargo_api.fetch { path = spec.path, query = spec.query } end,
  }
  if not copy then return nil, nil, problem end
  local body = host.json.decode(copy.text, { max_bytes = 8 * 1024 * 1024 })
  local data = type(body) == "table" and body.data
  return type(data) == "table" and data or {}, state
end

--- The id of a raw entry; nil when it is unusable, and the entry with it.
function dictionaries.id_of(raw)
  local id = type(raw) == "table" and raw.id
  return decimal.is_integer(id) and id >= 1 and id or nil
end

--- A name of a raw entry, also an empty one; nil when there is none.
function dictionaries.text_of(value)
  return type(value) == "string" and text.is_utf8(value) and (value:gsub("[%z\1-\31\127]", " ")) or nil
end

--- Raw entries of "load_types" or "truck_types".
function dictionaries.types(name)
  return get { name = name, key = name .. ":all", path = "/v1/dictionaries/" .. name }
end

--- Raw points whose name holds `query`; the same for any case and spacing.
function dictionaries.points(query, limit)
  local normal = text.lower(text.squeeze(query))
  return get {
    name = "cities", key = ("cities:%s:%d"):format(normal, limit), path = "/v1/dictionaries/points",
    query = { ["filter[name]"] = normal, limit = limit, offset = 0 },
  }
end

return dictionaries
