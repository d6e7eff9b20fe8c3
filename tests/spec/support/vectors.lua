--- The published vectors of tests/vectors, decoded; tests/vectors-overridden.md lists what SPEC changes.
local vectors = {}

--- @param name string  "initdata", "cargotech"
function vectors.load(name)
  local file = assert(io.open("tests/vectors/" .. name .. ".json", "rb"))
  local text = file:read "*a"
  file:close()
  return assert(host.json.decode(text))
end

--- JSON null as nil.
function vectors.value(value)
  if value == host.json.null then return nil end
  return value
end

return vectors
