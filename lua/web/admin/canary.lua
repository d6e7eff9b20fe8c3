--- The canary on the page of rules: the form that begins one, the buttons that end it.
local contracts = require "contracts.admin.canary"
local operations = require "web.admin.operations"
local page = require "web.admin.page"

local canary = {}

function canary.begin(context, request)
  local outcome, problem = contracts.begin(context.form, context)
  if not outcome and problem.code ~= "invalid_input" then return nil, problem end
  if outcome and outcome.ok then return page.go("/admin/rules", "canary_begun") end
  return operations.rules(context, request, problem, outcome)
end

local BACK = { path = "/admin/rules", page = "rules" }
local ENDED = { no_canary = "Пробное поколение уже закончилось: итог ниже." }
canary.promote = operations.action(contracts.promote, BACK, "canary_promoted", ENDED)
canary.withdraw = operations.action(contracts.withdraw, BACK, "canary_withdrawn", ENDED)

return canary
