--- Load types and truck types, as the exchange names them.
local contract = require "kit.contract"
local dictionaries = require "services.dictionaries"
local host = host

local function read_entry(raw)
  local id = dictionaries.id_of(raw)
  if not id then return nil end
  return { id = id, name = dictionaries.text_of(raw.name), short_name = dictionaries.text_of(raw.short_name) }
end

local function dictionary(name, about)
  return contract {
    name = "cargo.list_" .. name, access = "driver", about = about,
    input = {},
    output = { data = { type = "list", items = { type = "object", fields = {
      id = { type = "integer" }, name = { type = "string", nullable = true },
      short_name = { type = "string", nullable = true },
    } } } },
    errors = { upstream_unavailable = 502, upstream_auth_failed = 502 },

    run = function()
      local raw, _, problem = dictionaries.types(name)
      if not raw then return nil, problem end
      local data = host.json.array {}
      for _, entry in ipairs(raw) do data[#data + 1] = read_entry(entry) end
      return { data = data }
    end,
  }
end

return {
  load_types = dictionary("load_types", "Ways of loading."),
  truck_types = dictionary("truck_types", "Kinds of trucks."),
}
