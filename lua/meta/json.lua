---@meta host.json

---@class HostJson
---@field null userdata
local json = {}

---Integers are exact up to 2^53; NaN, infinity, functions, cycles and depth over 64 raise with the path of the value. An empty table is
---an object `{}` unless made by json.array. Keys are sorted when `options.sorted`.
---@param value any
---@param options? {sorted?: boolean}
---@return string
function json.encode(value, options) end

---@param text string
---@param options? {max_bytes?: integer, max_depth?: integer}   1 MiB and 64 by default
---@return any value
---@return Failure? failure   code "invalid_json" or "too_big"
function json.decode(text, options) end

---Mark a table as a list, so that an empty one is written `[]`. Returns it.
---@generic T
---@param list? T[]
---@return T[]
function json.array(list) end

return json
