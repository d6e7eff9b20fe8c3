--- What a contract or a service gives back instead of a result: `return nil, failure("code", {…})`.
--- `code` is stable snake_case and is all a client may learn; `text` is for the log.

local Failure = {}
Failure.__index = Failure

--- "service: code: text", as failures of the host read.
function Failure:__tostring()
  local shown = self.code
  if self.service then shown = self.service .. ": " .. shown end
  if self.text then shown = shown .. ": " .. self.text end
  return shown
end

local failure = {}

--- Known fields besides `code`: service, text, fields (list of {field, code, message?}), retry_after_s, status.
function failure.new(code, details)
  local made = { code = code }
  for key, value in pairs(details or {}) do made[key] = value end
  return setmetatable(made, Failure)
end

--- A code or any failure as a table.
function failure.of(value)
  if type(value) == "table" then return value end
  return failure.new(value or "internal_error")
end

return setmetatable(failure, { __call = function(_, code, details) return failure.new(code, details) end })
