--- GET /api/docs: the description of the API as a page, from the same document that machines read.
local openapi = require "kit.openapi"
local page = require "web.pages.page"
local sorted_names = require "kit.sorted_names"

local api = {}

local METHODS = { "get", "post", "put", "patch", "delete" }

local function type_of(described)
  local kind = described.type
  if type(kind) == "table" then kind = table.concat(kind, " or ") end
  local words = { kind or "any" }
  if described.format then words[#words + 1] = described.format end
  if described.enum then
    local shown = {}
    for index, value in ipairs(described.enum) do shown[index] = tostring(value) end
    words[#words + 1] = "one of " .. table.concat(shown, ", ")
  end
  for _, pair in ipairs { { "minimum", "from" }, { "maximum", "to" }, { "default", "default" } } do
    local keyword, word = pair[1], pair[2]
    if described[keyword] ~= nil then words[#words + 1] = word .. " " .. tostring(page.plain_value(described[keyword])) end
  end
  return table.concat(words, ", ")
end

-- Members of an object as rows, nested ones with their path: `cards[].route.from`.
local function add_members(rows, described, prefix)
  local required = {}
  for _, name in ipairs(described.required or {}) do required[name] = true end
  for _, name in ipairs(sorted_names(described.properties or {})) do
    local member = described.properties[name]
    rows[#rows + 1] = { name = prefix .. name, type = type_of(member), required = required[name], about = member.description }
    add_members(rows, member, prefix .. name .. ".")
    if member.items then add_members(rows, member.items, prefix .. name .. "[].") end
  end
  return rows
end

local function parameters_of(operation)
  local rows = {}
  for _, one in ipairs(operation.parameters or {}) do
    rows[#rows + 1] = {
      name = one.name, place = one["in"], type = type_of(one.schema), required = one.required, about = one.description,
    }
  end
  return rows
end

local function answers_of(operation)
  local answers = {}
  for _, status in ipairs(sorted_names(operation.responses)) do
    local response = operation.responses[status]
    local json = response.content and response.content["application/json"]
    answers[#answers + 1] = {
      status = status, about = response.description:gsub("`", ""), members = json and add_members({}, json.schema, "") or {},
    }
  end
  return answers
end

local function security_of(operation)
  local names = {}
  for _, way in ipairs(operation.security) do names[#names + 1] = next(way) or "nobody in particular" end
  return #names > 0 and table.concat(names, ", ") or "open to all"
end

local function shown(method, path, operation)
  local body = operation.requestBody and operation.requestBody.content["application/json"]
  return {
    id = operation.operationId, method = method:upper(), path = path, about = operation.description:gsub("`", ""),
    security = security_of(operation), parameters = parameters_of(operation),
    body = body and add_members({}, body.schema, "") or {}, answers = answers_of(operation),
  }
end

local function operations_of(document)
  local list = {}
  for _, path in ipairs(sorted_names(document.paths)) do
    for _, method in ipairs(METHODS) do
      local operation = document.paths[path][method]
      if operation then list[#list + 1] = shown(method, path, operation) end
    end
  end
  return list
end

--- The whole document. For developers, hence in English.
function api.docs(_, context)
  local document = openapi.document()
  context.language = "en"
  return page.render("api/docs", { info = document.info, operations = operations_of(document) }, context)
end

return api
