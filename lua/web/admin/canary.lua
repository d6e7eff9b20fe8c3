--- The canary on the page of rules: the form that begins one, the buttons that end it.
local contracts = require "contracts.admin.canary"
local operations = require "web.admin.operations"
local page = require "web.admin.page"

local canary = {}

function canary.begin(context, request)
  local outcome, problem = contracts.begin(context.form, context)
  if not outcome and problem.code ~= "invalid_input" then return nil, problem end
  if outcome and outcome.ok then return page.go("/admin/rules", "canary_begun") end
  local shown, why = operations.rules(context, request, problem, outcome)
  if shown then shown.status = 422 end
  return shown, why
end

local function ends(contract, done)
  return function(context, request)
    local ended, problem = contract({}, context)
    if ended then return page.go("/admin/rules", done) end
    if problem.code ~= "no_canary" then return nil, problem end
    problem.message = "Пробное поколение уже закончилось: итог ниже."
    return operations.rules(context, request, problem)
  end
end

canary.promote = ends(contracts.promote, "canary_promoted")
canary.withdraw = ends(contracts.withdraw, "canary_withdrawn")

return canary
