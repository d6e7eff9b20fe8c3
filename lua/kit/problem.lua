--- Problem documents (RFC 9457) from failures. A client learns the code, a sentence in its language and the fields;
--- nothing of what went wrong inside.
local host = host
local rules = require "kit.rules"

local problem = {}

-- Codes that any route may answer; a contract adds its own in `errors`.
local STATUS = {
  bad_request = 400, invalid_json = 400, unauthorized = 401, session_replaced = 401, payment_required = 402,
  forbidden = 403, forbidden_origin = 403, not_found = 404, method_not_allowed = 405, unsupported_media_type = 415,
  invalid_input = 422, rate_limited = 429, internal_error = 500, upstream_unavailable = 502,
  upstream_auth_failed = 502, overloaded = 503, database_unavailable = 503, not_ready = 503, script_timeout = 503,
}

local TITLE = {
  [400] = "Bad Request", [401] = "Unauthorized", [402] = "Payment Required", [403] = "Forbidden",
  [404] = "Not Found", [405] = "Method Not Allowed", [409] = "Conflict", [410] = "Gone",
  [413] = "Content Too Large", [415] = "Unsupported Media Type", [422] = "Unprocessable Content",
  [429] = "Too Many Requests", [500] = "Internal Server Error", [502] = "Bad Gateway",
  [503] = "Service Unavailable",
}

function problem.status(failure)
  return failure.status or STATUS[failure.code] or 500
end

-- A code nobody promised is our mistake: it is logged and shown as internal_error.
local function public_code(failure)
  if failure.status or STATUS[failure.code] then return failure.code end
  host.log.error("failure without a public code", { code = failure.code, text = failure.text or "" })
  return "internal_error"
end

local function field_errors(failure, language)
  local list = host.json.array {}
  for _, field in ipairs(failure.fields) do
    list[#list + 1] = {
      field = field.field, code = field.code,
      message = field.message or rules.texts.field(field.code, language, field.details),
    }
  end
  return list
end

--- @param failure table
--- @param context {language: string, request_id: string}
--- @return table document
--- @return integer status
function problem.document(failure, context)
  local status, code = problem.status(failure), public_code(failure)
  local document = {
    type = "about:blank", title = TITLE[status] or "Error", status = status, code = code,
    detail = rules.texts.problem(code, context.language, { seconds = failure.retry_after_s or 1 }),
    request_id = context.request_id,
    errors = failure.fields and field_errors(failure, context.language) or nil,
  }
  for name, value in pairs(failure.members or {}) do document[name] = value end
  if type(document.detail) == "table" then document.detail = document.detail[context.language] or document.detail.ru end
  return document, status
end

return problem
