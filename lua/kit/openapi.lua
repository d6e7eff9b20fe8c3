--- OpenAPI 3.1 of the route table: made from the same field tables that read requests and check answers, so it cannot
--- say anything else than the server does. A route is described when it has a contract and is not `unlisted`.
local host = host
local problem = require "kit.problem"
local sorted_names = require "kit.sorted_names"

local openapi = {}

local JSON, FORM, HTML = "application/json", "application/x-www-form-urlencoded", "text/html"
local PROBLEM = "application/problem+json"

-- ---- fields ----

local function list_of(members)
  return host.json.array(members)
end

-- JSON Schema of each field type; what a field narrows is added by `narrow`.
local TYPES = {
  string = { type = "string" }, integer = { type = "integer" }, number = { type = "number" },
  boolean = { type = "boolean" }, object = { type = "object" }, any = {},
  uuid = { type = "string", format = "uuid" }, url = { type = "string", format = "uri" },
  date = { type = "string", format = "date" }, ids = { type = "string", pattern = "^\\d+(,\\d+)*$" },
  range = { type = "string", pattern = "^\\d+,\\d+$" }, list = { type = "array" },
}

local LIMITS = { min = "minimum", max = "maximum", min_length = "minLength", max_length = "maxLength", default = "default" }

local of_field

--- @param fields table<string, table>  a field table of kit.schema
--- @param is_output boolean            outputs have all members but the optional ones, inputs only what is required
local function of_fields(fields, is_output)
  local properties, required = {}, {}
  for name, field in pairs(fields) do
    properties[name] = of_field(field, is_output)
    local is_due = field.required
    if is_output then is_due = not field.optional end
    if is_due then required[#required + 1] = name end
  end
  if next(properties) == nil then return { type = "object" } end
  table.sort(required)
  return { type = "object", properties = properties, required = #required > 0 and list_of(required) or nil }
end

local function allow_null(described)
  if not described.type then return end
  described.type = list_of { described.type, "null" }
  if described.enum then described.enum[#described.enum + 1] = host.json.null end
end

local function copy(from)
  local to = {}
  for name, value in pairs(from) do to[name] = value end
  return to
end

local function words_of(field)
  local words = { field.about }
  if field.aliases then words[#words + 1] = "also as " .. table.concat(field.aliases, ", ") end
  if field.max_items then words[#words + 1] = ("at most %d"):format(field.max_items) end
  return #words > 0 and table.concat(words, "; ") or nil
end

function of_field(field, is_output)
  local described = copy(TYPES[field.type] or error("unknown field type " .. tostring(field.type)))
  if field.fields then described = of_fields(field.fields, is_output) end
  if field.type == "list" then described.items = field.items and of_field(field.items, is_output) or {} end
  for name, keyword in pairs(LIMITS) do described[keyword] = field[name] end
  if field.one_of then described.enum = list_of(copy(field.one_of)) end
  if field.nullable then allow_null(described) end
  described.description = words_of(field)
  return described
end

-- ---- what comes in ----

local function parameter(place, name, field)
  local described = of_field(field, false)
  local about = described.description
  described.description = nil
  return { name = name, ["in"] = place, required = place == "path" or field.required or false, schema = described,
    description = about }
end

-- Where each field of the input comes from: path, header, query or body.
local function place_of(route, name)
  if route[2]:find("{" .. name .. "}", 1, true) then return "path" end
  if route.headers and route.headers[name] then return "header" end
  if route[1] ~= "GET" then return "body" end
  return not route[2]:find("{", 1, true) and "query" or nil
end

local function by_place(route)
  local parameters, body = {}, {}
  for _, name in ipairs(sorted_names(route.contract.input)) do
    local field, place = route.contract.input[name], place_of(route, name)
    if place == "body" then
      body[name] = field
    elseif place then
      parameters[#parameters + 1] = parameter(place, place == "header" and route.headers[name] or name, field)
    end
  end
  return parameters, body
end

local function add_missing_path_parameters(route, parameters)
  local known = {}
  for _, one in ipairs(parameters) do known[one.name] = true end
  for name in route[2]:gmatch "{(%w+)}" do
    if not known[name] then parameters[#parameters + 1] = parameter("path", name, { type = "string" }) end
  end
end

local function request_body(route, fields)
  if route[1] == "GET" or route[1] == "DELETE" then return nil end
  if route.raw_body then return { required = true, content = { [JSON] = { schema = { type = "object" } } } } end
  if next(fields) == nil then return nil end
  local described = of_fields(fields, false)
  if route.init_data_header then described.required = nil end
  return { required = described.required ~= nil, content = { [JSON] = { schema = described }, [FORM] = { schema = described } } }
end

local SESSION, READER = { session = list_of {} }, { accessToken = list_of {} }

local function security_of(route)
  local ways = {}
  if route.init_data_header then ways = { {}, { initData = list_of {} } } end
  if route.access == "optional" then ways = { {} } end
  if route.access == "driver" or route.access == "optional" then
    ways[#ways + 1] = SESSION
    ways[#ways + 1] = { cookie = list_of {} }
    if route.read_only then ways[#ways + 1] = READER end
  end
  return list_of(ways)
end

-- ---- what goes out ----

local STATUS_TEXT = { [200] = "Done.", [201] = "Created.", [202] = "Accepted.", [204] = "Done; no content." }

local function success(route, status)
  if status == 204 then return { description = STATUS_TEXT[204] } end
  local content = { [JSON] = { schema = of_fields(route.contract.output or {}, true) } }
  if route.page then content[HTML] = { schema = { type = "string", description = "the same as a fragment for the page" } } end
  return { description = STATUS_TEXT[status] or "Done.", content = content }
end

-- Codes any such route may answer, besides those its contract names.
local function common_codes(route)
  local codes = {}
  if route.access == "driver" then
    codes = { "unauthorized", "session_replaced", "database_unavailable" }
    if route[1] ~= "GET" then codes[#codes + 1] = "forbidden_origin" end
    if not route.read_only then codes[#codes + 1] = "forbidden" end
  end
  if route.limit then codes[#codes + 1] = "rate_limited" end
  if not route.contract.reader and not route.contract.raw_input and next(route.contract.input) then
    codes[#codes + 1] = "invalid_input"
  end
  if route[1] ~= "GET" and not route.raw_body then
    codes[#codes + 1] = "invalid_json"
    codes[#codes + 1] = "unsupported_media_type"
  end
  return codes
end

local function codes_by_status(route)
  local statuses, seen = {}, {}
  local function add(code, status)
    if seen[code] then return end
    seen[code] = true
    statuses[status] = statuses[status] or {}
    table.insert(statuses[status], code)
  end
  for code, status in pairs(route.contract.errors) do add(code, status) end
  for _, code in ipairs(common_codes(route)) do add(code, problem.status { code = code }) end
  return statuses
end

local function refusal(codes)
  table.sort(codes)
  return {
    description = "`" .. table.concat(codes, "`, `") .. "`",
    content = { [PROBLEM] = { schema = { ["$ref"] = "#/components/schemas/Problem" } } },
  }
end

local function responses_of(route)
  local responses = {}
  for _, status in ipairs(route.contract.statuses or { route.status or 200 }) do
    responses[tostring(status)] = success(route, status)
  end
  for status, codes in pairs(codes_by_status(route)) do responses[tostring(status)] = refusal(codes) end
  if route.revalidate then responses["304"] = { description = "Unchanged since the ETag given in If-None-Match." } end
  return responses
end

-- ---- the document ----

local function description_of(route)
  local lines = { route.contract.about }
  if route.contract.number then lines[#lines + 1] = ("Contract %s."):format(route.contract.number) end
  if route.limit then lines[#lines + 1] = ("Counted in the rate class `%s`."):format(route.limit) end
  return table.concat(lines, "\n\n")
end

local function operation(route)
  local parameters, body = by_place(route)
  add_missing_path_parameters(route, parameters)
  return {
    summary = (route.contract.about:match "^(.-)[;:.]" or route.contract.about), description = description_of(route),
    tags = list_of { (route.contract.name:match "^[^.]+") }, security = security_of(route),
    parameters = #parameters > 0 and list_of(parameters) or nil, requestBody = request_body(route, body),
    responses = responses_of(route),
  }
end

local PROBLEM_SCHEMA = {
  type = "object", description = "RFC 9457. `code` is stable; `detail` and `message` are for people.",
  required = list_of { "type", "title", "status", "code", "detail", "request_id" },
  properties = {
    type = { type = "string" }, title = { type = "string" }, status = { type = "integer" }, code = { type = "string" },
    detail = { type = "string" }, request_id = { type = "string" },
    errors = { type = "array", items = {
      type = "object", required = list_of { "field", "code", "message" },
      properties = { field = { type = "string" }, code = { type = "string" }, message = { type = "string" } },
    } },
  },
}

local SECURITY_SCHEMES = {
  session = { type = "http", scheme = "bearer", bearerFormat = "JWT", description = "session token of a login" },
  cookie = { type = "apiKey", ["in"] = "cookie", name = "fura_session",
    description = "the same token as a cookie; other methods than GET need an Origin of ours" },
  accessToken = { type = "http", scheme = "bearer", description = "access token of a subscription: reads only" },
  initData = { type = "apiKey", ["in"] = "header", name = "Authorization", description = "tma <initData>" },
}

-- One contract may answer on two paths; an operation's id is used once.
local function name_operation(described, contract, taken)
  local id = contract.name:gsub("%.", "_")
  local count = (taken[id] or 0) + 1
  taken[id] = count
  described.operationId = count > 1 and id .. "_" .. count or id
  return described
end

local function paths_of(routes)
  local paths, taken = {}, {}
  for _, route in ipairs(routes) do
    if route.contract and not route.panel and not route.unlisted then
      local item = paths[route[2]] or {}
      item[route[1]:lower()] = name_operation(operation(route), route.contract, taken)
      paths[route[2]] = item
    end
  end
  return paths
end

local function tags_of(paths)
  local used, tags = {}, {}
  for _, item in pairs(paths) do
    for _, described in pairs(item) do used[described.tags[1]] = true end
  end
  for index, name in ipairs(sorted_names(used)) do tags[index] = { name = name } end
  return list_of(tags)
end

local published = {}

--- Say which routes there are. Once a generation, when all are known.
function openapi.publish(routes)
  published.routes, published.document = routes, nil
end

--- The document of the published routes.
--- @return table
function openapi.document()
  if published.document then return published.document end
  local paths = paths_of(published.routes or {})
  published.document = {
    openapi = "3.1.0",
    info = { title = "Fura", version = host.script.info().version, description = "Cargo for drivers in Telegram." },
    servers = list_of { { url = "/" } }, tags = tags_of(paths), paths = paths,
    components = { schemas = { Problem = PROBLEM_SCHEMA }, securitySchemes = SECURITY_SCHEMES },
  }
  return published.document
end

return openapi
