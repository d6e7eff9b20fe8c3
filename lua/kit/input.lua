--- The values a request carries: query, form or JSON, ready for kit.schema.
local host = host
local failure = require "kit.failure"
local schema = require "kit.schema"

local input = {}

--- @return table? values
--- @return table? failure
function input.query(text)
  if text == "" then return {} end
  local found = host.http.parse_query(text)
  if not found then return nil, failure "bad_request" end
  return schema.from_pairs(found)
end

local function read_json(body)
  local values = host.json.decode(body)
  if values == nil then return nil, failure "invalid_json" end
  if type(values) ~= "table" then
    return nil, failure("invalid_input", { fields = { { field = "", code = "object" } } })
  end
  return values
end

--- The body by its content type. No body is no values; another type is 415.
function input.body(request)
  local body = request.body
  local kind = (request:header "content-type" or ""):lower():match "^%s*([^;%s]*)"
  if kind == "application/json" then return read_json(body) end
  if kind == "application/x-www-form-urlencoded" then return input.query(body) end
  if body == "" then return {} end
  return nil, failure "unsupported_media_type"
end

return input
