--- A contract is a promise: who may ask, what comes in, what goes out, what may go wrong.
---
---   return contract {
---     name = "auth.end_session", number = "1.3", about = "…", access = "driver",
---     input = { … }, output = { … },            field tables of kit.schema
---     errors = { cargo_not_found = 404 },        code → HTTP status
---     statuses = { 201, 200 },                   of answers, when not only the route's (200); for the API's description
---     run = function(input, context) … return output   or   return nil, "code" | failure
---   }
---
--- `reader` (values → input, or nil and a failure) replaces the reading by field tables; `raw_input` leaves it out.
--- `admit` (context → true, or nil and a failure) decides who may ask, before anything is said of what they ask.
--- Calling it admits, checks the input, runs it, and outside production checks the output too.
local host = host
local failure = require "kit.failure"
local schema = require "kit.schema"

local Contract = {}
Contract.__index = Contract

local ACCESS = { public = true, optional = true, driver = true, internal = true, admin = true }

local function broken_promise(contract, sentence)
  error(("contract %s: %s"):format(contract.name, sentence), 0)
end

--- Read raw values (of a query, a form or JSON) by the input's fields.
--- @return table? input
--- @return table? failure  `invalid_input` with all fields, unless the contract reads by itself
function Contract:read(values)
  if self.reader then return self.reader(values) end
  if self.raw_input then return values end
  local input, problems = schema.parse(self.input, values)
  if input then return input end
  return nil, failure("invalid_input", { fields = problems })
end

local function admits(contract, context)
  if not contract.admit then return true end
  return contract.admit(context)
end

local function run(self, input, context)
  local output, problem = self.run(input, context)
  if output == nil then
    problem = failure.of(problem)
    problem.status = problem.status or self.errors[problem.code]
    return nil, problem
  end
  if host.config.env ~= "production" then
    local sentence = self.output and not output.encoded and schema.mismatch(self.output, output)
    if sentence then broken_promise(self, sentence) end
  end
  return output
end

--- Run with an input already read. The context says on whose behalf: driver_id, address, agent, request_id, language.
--- @return table? output
--- @return table? failure  its code is one of `errors`
function Contract:run_checked(input, context)
  context = context or {}
  local ok, problem = admits(self, context)
  if not ok then return nil, problem end
  return run(self, input, context)
end

--- Read and run.
function Contract:__call(values, context)
  context = context or {}
  local ok, problem = admits(self, context)
  if not ok then return nil, problem end
  local input
  input, problem = self:read(values or {})
  if not input then return nil, problem end
  return run(self, input, context)
end

--- @param promise table
return function(promise)
  if not ACCESS[promise.access] then broken_promise(promise, "unknown access " .. tostring(promise.access)) end
  promise.input, promise.errors = promise.input or {}, promise.errors or {}
  return setmetatable(promise, Contract)
end
