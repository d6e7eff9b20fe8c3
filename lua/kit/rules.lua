--- Loads lua/rules/*.lua: what product people edit. A rule file is data and pure functions over a small frozen
--- vocabulary (docs: README of lua/rules); it cannot require, wait or see the host.
---
---   local rules = require "kit.rules"
---   rules.card.price("…")              an error in the rule is counted and logged; its previous committed source answers
---                                      this call, and without one a failure is raised
---   rules.call("card", "format", raw)  the same, but the failure is given back
local host = host
local clock_text = require "kit.clock_text"
local decimal = require "kit.decimal"
local failure = require "kit.failure"
local rule_checks = require "kit.rule_checks"
local rule_history = require "kit.rule_history"
local rule_letters = require "kit.rule_letters"
local rule_words = require "kit.rule_words"
local text = require "kit.text"

local FOLDER = "lua/rules"

local function frozen(content, what)
  return setmetatable({}, {
    __index = function(_, key)
      local value = content[key]
      if value == nil then
        error(("%s has no '%s'; see lua/rules/README.md for what a rule may use"):format(what, tostring(key)), 2)
      end
      return value
    end,
    __newindex = function(_, key)
      error(("'%s' cannot be assigned here: write local %s"):format(tostring(key), tostring(key)), 2)
    end,
    __metatable = false,
  })
end

local function vocabulary()
  local strings = {}
  for key, value in pairs(string) do strings[key] = value end
  strings.dump = nil
  return frozen({
    string = frozen(strings, "string"), table = frozen(table, "table"), math = frozen(math, "math"),
    ipairs = ipairs, pairs = pairs, next = next, type = type, select = select, unpack = unpack,
    tostring = tostring, tonumber = tonumber, error = error, assert = assert,
    text = frozen(text, "text"), decimal = frozen(decimal, "decimal"), clock_text = frozen(clock_text, "clock_text"),
    rub = function(roubles, more)
      if more ~= nil then error("rub takes one number, with a point: rub(499.50)", 2) end
      if type(roubles) ~= "number" then
        error(("rub takes a number, like rub(499), without quotes and units (got %s)"):format(tostring(roubles)), 2)
      end
      return math.floor(roubles * 100 + 0.5)
    end,
  }, "a rule")
end

local function equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not equal(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local function shown(value)
  return type(value) == "table" and host.json.encode(value, { sorted = true }) or tostring(value)
end

-- One example is { "function", { arguments }, expected }.
local function run_example(rule, example)
  local name, arguments, expected = example[1], example[2], example[3]
  if type(arguments) ~= "table" then return "is no example (expected { \"function\", { arguments }, result })" end
  if type(rule[name]) ~= "function" then return ("there is no function '%s'"):format(tostring(name)) end
  local ok, got = pcall(rule[name], unpack(arguments, 1, example.n or #arguments))
  if not ok then return tostring(got) end
  if not equal(got, expected) then
    if shown(expected) == shown(got) then
      return ("%s: expected the %s %s, got the %s %s"):format(name, type(expected), shown(expected), type(got), shown(got))
    end
    return ("%s: expected %s, got %s"):format(name, shown(expected), shown(got))
  end
end

-- The line on which example `number` begins: after the word examples, each begins a line with { "function".
local function line_of_example(source, number)
  local line, seen, inside = 0, 0, false
  for text_of_line in (source .. "\n"):gmatch "(.-)\n" do
    line = line + 1
    inside = inside or text_of_line:find "^%s*examples%s*=" ~= nil
    if inside then seen = seen + select(2, text_of_line:gsub('^[%s]*{%s*"[%w_]+"%s*,%s*{', "")) end
    if inside and seen == number then return line end
  end
  return 1
end

local function line_at(source, at)
  return select(2, source:sub(1, at):gsub("\n", "")) + 1
end

-- Of the first `near` that begins a word, behind `within` when that is there.
local function line_near(source, near, within)
  local from = within and source:find(within, 1, true) or 1
  local pattern = near and (near:find "^%w" and "%f[%w_]" or "") .. near:gsub("%p", "%%%0")
  return line_at(source, pattern and source:find(pattern, from) or from)
end

local function self_test(path, rule, source, problems)
  if rule.examples ~= nil and type(rule.examples) ~= "table" then
    problems[#problems + 1] = ("%s:%d: examples is no list (expected examples = { … })"):format(path, line_near(source, "examples"))
    return
  end
  for index, example in ipairs(rule.examples or {}) do
    local problem = type(example) == "table" and run_example(rule, example)
      or type(example) ~= "table" and "is no example (expected { \"function\", { arguments }, result })"
    if problem then
      problems[#problems + 1] = ("%s:%d: example %d: %s"):format(path, line_of_example(source, index), index, problem)
    end
  end
end

local about = {} -- name → {path, hash, examples}

-- `draft`: a source to take instead of the file's.
local function load_rule(name, path, environment, draft)
  local source, problems = draft or host.script.read(path), {}
  rule_letters(source, function(at, sentence) problems[#problems + 1] = ("%s:%d: %s"):format(path, line_at(source, at), sentence) end)
  if #problems > 0 then return nil, problems end
  local chunk, problem = host.script.compile(source, path, environment)
  if not chunk then return nil, { rule_words(problem) } end
  local ok, rule = pcall(chunk)
  if not ok then return nil, { rule_words(rule) } end
  if type(rule) ~= "table" then
    return nil, { ("%s:1: the rule gives nothing back (expected return { … } at its end)"):format(path) }
  end
  local checked, stumbled = pcall(rule_checks.run, name, rule, function(sentence, near, within)
    problems[#problems + 1] = ("%s:%d: %s"):format(path, line_near(source, near, within), sentence)
  end)
  if not checked then problems[#problems + 1] = ("%s:1: what the rule returns cannot be read: %s"):format(path, tostring(stumbled)) end
  if #problems == 0 then self_test(path, rule, source, problems) end
  if #problems > 0 then return nil, problems end
  return rule, {
    path = path,
    hash = host.crypto.hex(host.crypto.sha256(source)):sub(1, 16),
    examples = #(rule.examples or {}),
  }
end

local loaded, environment = {}, vocabulary()
do
  local problems, seen = {}, {}
  local function add(list)
    for _, problem in ipairs(list) do problems[#problems + 1] = problem end
  end
  for _, path in ipairs(host.script.list(FOLDER)) do
    local name = path:match "/([%w_]+)%.lua$"
    if name then
      local rule, facts = load_rule(name, path, environment)
      if rule then loaded[name], about[name] = rule, facts else add(facts) end
      seen[name] = true
    end
  end
  for _, name in ipairs(rule_checks.names()) do
    if not seen[name] then add { ("%s/%s.lua:1: the file is missing (expected this rule: put it back)"):format(FOLDER, name) } end
  end
  if #problems > 0 then error(table.concat(problems, "\n"), 0) end
end

local rules = {}

--- The first 16 hex digits of the SHA-256 of a rule's source: part of the keys of what it produced.
function rules.hash(name)
  return about[name].hash
end

--- name → {path, hash, examples}, for `fura rules` and the panel.
function rules.about()
  return about
end

-- Counted for the node and for exactly this source.
local function count_key(what, name)
  return ("rules:%s:%s:%s"):format(what, name, about[name].hash)
end

--- How often each rule failed since this source of it was loaded, and how many of these calls its previous source
--- answered: name → {errors, by_previous}.
function rules.errors()
  local counts = {}
  for name in pairs(about) do
    counts[name] = {
      errors = host.shared.get(count_key("errors", name)) or 0,
      by_previous = host.shared.get(count_key("by_previous", name)) or 0,
    }
  end
  return counts
end

local watchers = {}

--- Call `fn({rule, function, text, stack})` whenever a rule failed.
function rules.watch(fn)
  watchers[#watchers + 1] = fn
end

local function tell(name, function_name, problem)
  host.metrics.count("rule_errors_total", { rule = name })
  host.shared.increment(count_key("errors", name))
  host.log.error("rule failed", { rule = name, ["function"] = function_name, error = tostring(problem.text) })
  host.script.complain(("%s (rule %s.%s)"):format(tostring(problem.text), name, function_name))
  for _, fn in ipairs(watchers) do
    fn({ rule = name, ["function"] = function_name, text = tostring(problem.text), stack = problem.stack })
  end
end

local BUDGET = { warn_ms = 50, kill_ms = 500 }

-- true and the results; or false and a failure.
local function outcome(result, problem, ...)
  local failed = result == nil and type(problem) == "table" and problem.service == "script"
  if failed then return false, problem end
  return true, result, problem, ...
end

local function guarded(label, fn, ...)
  return outcome(host.script.guard(label, BUDGET, fn, ...))
end

-- ---- the previous source ----

local previous = {} -- name → its source, then the loaded rule; false when it is of no use

local noted -- as what: "canary", "live"

--- Note what each rule falls back to: for a canary the source in force, else the one before its own, which is in force now.
--- At each request, for when that changes is known nowhere else.
function rules.remember()
  if noted == "live" then return end
  local standing = host.script.info().standby and "canary" or "live"
  if standing == noted then return end
  noted = standing
  for name, facts in pairs(about) do
    if standing == "live" then
      previous[name] = rule_history.remember(name, facts.hash, host.script.read(facts.path)) or false
    else
      previous[name] = rule_history.in_force(name, facts.hash) or false
    end
  end
end

local function previous_rule(name)
  local known = previous[name]
  if type(known) ~= "string" then return known end
  local chunk = host.script.compile(known, ("previous %s/%s.lua"):format(FOLDER, name), environment)
  local ok, rule
  if chunk then ok, rule = guarded(("rule %s.load"):format(name), chunk) end
  previous[name] = ok and type(rule) == "table" and rule or false
  return previous[name]
end

-- The function at "fields.weight_volume.check" of a rule.
local function function_at(rule, path)
  local value = rule
  for key in path:gmatch "[^.]+" do value = type(value) == "table" and value[key] or nil end
  return type(value) == "function" and value or nil
end

local function count_answer(name, ok, ...)
  if not ok then return false end
  host.metrics.count("rule_fallbacks_total", { rule = name })
  host.shared.increment(count_key("by_previous", name))
  return true, ...
end

-- true and what the previous source says; false when it cannot say anything.
local function ask_previous(call, ...)
  local rule = previous_rule(call.rule)
  local fn = rule and function_at(rule, call.path)
  if not fn then return false end
  return count_answer(call.rule, guarded(call.label, fn, ...))
end

-- ---- calling ----

local calls = {} -- name → path of a function → {rule, path, label, fn}

-- true and the results; or false and what went wrong in the source in force.
local function answer_or(problem, ok, ...)
  if ok then return true, ... end
  return false, failure(problem.code == "script_timeout" and "script_timeout" or "rule_failed",
    { service = "rules", text = tostring(problem.text), stack = problem.stack })
end

local function settle(call, arguments, ok, ...)
  if ok then return true, ... end
  local problem = ...
  tell(call.rule, call.path, problem)
  return answer_or(problem, ask_previous(call, unpack(arguments, 1, arguments.n)))
end

local function run(call, ...)
  call.count = call.count + 1
  return settle(call, { n = select("#", ...), ... }, guarded(call.label, call.fn, ...))
end

local function or_raise(ok, ...)
  if ok then return ... end
  error((...), 0)
end

local function or_failure(ok, ...)
  if ok then return ... end
  return nil, (...)
end

-- Every function of a rule's table, deep inside of its data too, becomes one that is guarded.
local function guard_all(name, list, prefix, seen)
  seen[list] = true
  for key, value in pairs(list) do
    local path = prefix .. tostring(key)
    if type(value) == "table" and not seen[value] then
      guard_all(name, value, path .. ".", seen)
    elseif type(value) == "function" then
      local call = { rule = name, path = path, label = ("rule %s.%s"):format(name, path), fn = value, count = 0,
        labels = { rule = name, ["function"] = path } }
      calls[name][path] = call
      list[key] = function(...) return or_raise(run(call, ...)) end
    end
  end
end

for name, rule in pairs(loaded) do
  calls[name] = {}
  guard_all(name, rule, "", {})
end

--- Give the counts of calls to the metrics: counting each by itself would cost more than many a rule.
function rules.flush()
  for _, of_rule in pairs(calls) do
    for _, call in pairs(of_rule) do
      if call.count > 0 then
        host.metrics.count("rule_calls_total", call.labels, call.count)
        call.count = 0
      end
    end
  end
end

--- Call a function of a rule so that its mistake, or its endless loop, stays its own.
--- @return any? result
--- @return table? failure  code "rule_failed"; "script_timeout" when it computed for too long
function rules.call(name, function_name, ...)
  return or_failure(run(calls[name][function_name], ...))
end

--- Try a source of a rule that is not loaded: all its checks, then one call. Nothing of it stays.
--- @return any? result
--- @return table? failure  code "rule_failed", its text names file and line; is_late when it was stopped for computing too long
function rules.try(name, source, function_name, ...)
  local path, arguments, count = about[name].path, { ... }, select("#", ...)
  local ok, result = guarded(("rule %s.draft"):format(name), function()
    local rule, problems = load_rule(name, path, environment, source)
    if not rule then error(table.concat(problems, "\n"), 0) end
    if type(rule[function_name]) ~= "function" then error(path .. ": there is no function " .. function_name, 0) end
    return rule[function_name](unpack(arguments, 1, count))
  end)
  if ok then return result end
  local problem = result
  return nil, failure("rule_failed", { service = "rules", text = tostring(problem.text), is_late = problem.code == "script_timeout" })
end

return setmetatable(rules, {
  __index = function(_, name)
    return loaded[name] or error(("there is no lua/rules/%s.lua"):format(tostring(name)), 2)
  end,
})
