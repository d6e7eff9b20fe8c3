--- `fura settings list|set NAME|unset NAME|rotate`: what the panel keeps in the database. A value comes from stdin, so
--- that no secret stands in a command line; secrets are never shown.
local key_rotation = require "services.key_rotation"
local secrets = require "services.secrets"
local settings = require "services.settings"
local sorted_names = require "kit.sorted_names"

local ACTOR = { type = "command" }

local function describe(row)
  if not row then return "-" end
  if row.kind == "secret" then
    local holds = secrets.holds(row.key_id)
    return ("set %s (key %s%s)"):format(host.time.iso8601(row.updated_at), row.key_id, holds and "" or ", missing")
  end
  return host.json.encode(row.value, { sorted = true })
end

local function list(_, context)
  local rows, problem = settings.list()
  if not rows then return nil, problem end
  local stored, shown = {}, host.json.array {}
  for _, row in ipairs(rows) do stored[row.name] = row end
  for index, name in ipairs(sorted_names(settings.known)) do
    local known, row = settings.known[name], stored[name]
    shown[index] = { name = name, kind = known.kind, about = known.about, is_set = row ~= nil,
      value = row and row.kind ~= "secret" and row.value or nil }
    if not context.json then
      print(("%-22s %-8s %-40s %s"):format(name, known.kind, describe(row), known.about))
    end
  end
  if context.json then print(host.json.encode(shown)) end
  return 0
end

-- Text as it is; everything else as JSON.
local function parse(kind, text)
  if kind == "text" or kind == "secret" then return text end
  return host.json.decode(text)
end

local function set(name)
  local known = settings.known[name]
  if not known then return nil, ("there is no setting '%s': see fura settings list"):format(tostring(name)) end
  local text = (io.read "*a" or ""):gsub("^%s+", ""):gsub("%s+$", "")
  local value = parse(known.kind, text)
  if text == "" or value == nil then return nil, ("%s expects a value of kind %s on stdin"):format(name, known.kind) end
  local ok, problem = settings.set(name, value, ACTOR)
  if not ok then return nil, problem end
  print(name .. " is set")
  return 0
end

local function unset(name)
  local ok, problem = settings.set(name, nil, ACTOR)
  if not ok then return nil, problem end
  print(name .. " is not set any more")
  return 0
end

local function rotate(_, context)
  local report, problem = key_rotation.run(ACTOR)
  if not report then return nil, problem end
  local unreadable = 0
  for _, line in ipairs(report) do
    unreadable = unreadable + line.unreadable
    if not context.json then
      print(("%-30s sealed again %d, not readable %d"):format(line.place, line.sealed, line.unreadable))
    end
  end
  if context.json then print(host.json.encode(host.json.array(report))) end
  return unreadable == 0 and 0 or 1
end

local ACTIONS = { list = { list, 1 }, set = { set, 2 }, unset = { unset, 2 }, rotate = { rotate, 1 } }

local function reason(problem)
  return type(problem) == "table" and (problem.text or problem.code) or tostring(problem)
end

return {
  about = "Settings kept in the database: list, change, seal secrets with a new key.",
  usage = "settings list | settings set NAME (value from stdin) | settings unset NAME | settings rotate [--json]",

  --- @param args string[]
  --- @param context {json: boolean}
  --- @return integer? exit_status  0 ok, 1 refused or failed, 2 usage
  run = function(args, context)
    local action = ACTIONS[args[1] or "list"]
    if not action or #args > action[2] or action[2] == 2 and not args[2] then
      return 2
    end
    local status, problem = action[1](args[2], context or {})
    if status then return status end
    return nil, reason(problem)
  end,
}
