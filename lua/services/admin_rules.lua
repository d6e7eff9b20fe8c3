--- Rules as the panel shows them: the source that is live, and a draft tried on a sample or on a cargo.
local cargo_details = require "services.cargo_details"
local failure = require "kit.failure"
local host = host
local rules = require "kit.rules"

local admin_rules = {}

local DRAFT_CPU_MS = 2000 -- twice the guard's: checks and call

-- The rule's own examples as samples: {function, arguments as JSON}. What JSON cannot say is left out.
local function samples_of(rule)
  local samples = {}
  for _, example in ipairs(rule.examples or {}) do
    local ok, arguments = pcall(host.json.encode, host.json.array(example[2]), { sorted = true })
    if ok then samples[#samples + 1] = { ["function"] = example[1], arguments = arguments } end
  end
  return samples
end

--- @return {name: string, path: string, hash: string, source: string, functions: string[], samples: table[]}?
--- @return table? failure  not_found
function admin_rules.find(name)
  local about = rules.about()[name]
  if not about then return nil, failure "not_found" end
  local functions = {}
  for key, value in pairs(rules[name]) do
    if type(value) == "function" then functions[#functions + 1] = key end
  end
  table.sort(functions)
  return { name = name, path = about.path, hash = about.hash, source = host.script.read(about.path), functions = functions,
    samples = samples_of(rules[name]) }
end

local function arguments_of(draft)
  if draft.cargo then
    local cargo, _, problem = cargo_details.get(draft.cargo)
    if not cargo then return nil, problem and problem.code ~= "not_found" and problem or failure "cargo_not_found" end
    return { cargo, "ru" }
  end
  local list = host.json.decode(draft.arguments)
  if type(list) ~= "table" or next(list) ~= nil and list[1] == nil then return nil, failure "invalid_arguments" end
  return list
end

-- In a task of its own, with time to spare: of a draft that uses its budget up, the request lives to tell.
local function run_alone(draft, arguments)
  local task = host.task.spawn_with({ label = "draft of rule " .. draft.name, detached = false, cpu_ms = DRAFT_CPU_MS }, function()
    host.task.sleep(0) -- the asker waits by now: the time is this task's
    local result, problem = rules.try(draft.name, draft.source, draft["function"], unpack(arguments))
    return { result = result, problem = problem }
  end)
  local tried, ended = task:join()
  if not tried then return nil, failure("rule_failed", { service = "rules", text = tostring(ended.text or ended.code) }) end
  if tried.problem then return nil, tried.problem end
  return { result = tried.result == nil and host.json.null or tried.result }
end

--- What the draft makes of its arguments: a JSON list, or a raw cargo (then with the language).
--- @param draft {name: string, source: string, function: string, arguments: string, cargo: string?}
--- @return {result: any}?
--- @return table? failure  not_found, cargo_not_found, invalid_arguments, rule_failed
function admin_rules.try(draft)
  if not rules.about()[draft.name] then return nil, failure "not_found" end
  local arguments, problem = arguments_of(draft)
  if not arguments then return nil, problem end
  return run_alone(draft, arguments)
end

return admin_rules
