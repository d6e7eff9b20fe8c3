--- One rule: its source, and what a draft of it would make of a sample or of a cargo. Nothing is saved.
local contracts = require "contracts.admin.rule"
local host = host
local page = require "web.admin.page"
local show = require "web.admin.show"

local rule = {}

-- What the form holds: what was typed, else the rule's first sample.
local function form_of(output, typed)
  local first = output.samples[1] or {}
  return { source = typed.source or output.source, chosen = typed["function"] or first["function"] or output.functions[1],
    arguments = typed.arguments or first.arguments or "[]", cargo = typed.cargo }
end

local function pretty(value)
  return (host.json.encode(value, { sorted = true }):gsub(',"', ',\n"'))
end

-- A card is shown as drivers see it, too.
local function card_of(result)
  return type(result) == "table" and type(result.route) == "table" and type(result.price) == "string" and result or nil
end

function rule.show(context, _, problem, tried)
  local output, why = contracts.show(context.params, context)
  if not output then return nil, why end
  local values = form_of(output, context.form or {})
  values.rule, values.refusals = output, problem and problem.lines
  values.result, values.card = tried and pretty(tried.result), tried and card_of(tried.result)
  return page.whole("rule", values, { title = "Правило " .. output.name, nav = "rules", problem = problem,
    status = problem and (problem.status or 422) }, context)
end

local SENTENCES = { cargo_not_found = "Такого груза нет ни в кэше, ни на бирже.",
  invalid_arguments = "Аргументы: нужен список JSON, например [12350000].",
  upstream_unavailable = "Биржа не отвечает, а в кэше этого груза нет. Попробуйте на аргументах.",
  upstream_auth_failed = "Биржа не пускает нас, а в кэше этого груза нет. Попробуйте на аргументах." }

-- «lua/rules/card.lua:12: …» lines with their places in front.
local function explain(problem)
  if problem.code ~= "rule_failed" then
    problem.message = SENTENCES[problem.code]
    return problem
  end
  problem.message = problem.is_late and "Черновик остановлен: считал дольше половины секунды. Живое правило не тронуто."
    or "Черновик не сработал. Живое правило не тронуто."
  problem.lines = show.places(problem.text)
  return problem
end

-- A sample chosen from the list is put into the fields.
local function take_sample(context)
  local output = contracts.show(context.params, context)
  local sample = output and output.samples[tonumber(context.form.sample) or 0]
  if not sample then return end
  context.form["function"], context.form.arguments, context.form.cargo = sample["function"], sample.arguments, nil
end

function rule.try(context, request)
  context.form.name = context.params.name
  take_sample(context)
  local tried, problem = contracts.try(context.form, context)
  if tried then return rule.show(context, request, nil, tried) end
  if problem.code ~= "rule_failed" and problem.code ~= "invalid_input" and not SENTENCES[problem.code] then return nil, problem end
  return rule.show(context, request, explain(problem))
end

return rule
