--- `fura rules`: the rules product people edit: file, hash, self-tests, errors since this source was loaded.
local rules = require "kit.rules"

local function errors_of(rule)
  if not rule.errors then return "no server runs" end
  if rule.errors == 0 then return "0" end
  return ("%d, %d of them answered by the previous version"):format(rule.errors, rule.by_previous)
end

local function sorted_names(about)
  local names = {}
  for name in pairs(about) do names[#names + 1] = name end
  table.sort(names)
  return names
end

return {
  about = "Rules: file, hash, self-tests, errors since load.",
  usage = "rules [--json]",

  --- @param args string[]
  --- @param context {json: boolean, call: function}
  --- @return integer exit_status
  run = function(args, context)
    if #args > 0 then
      print "usage: fura rules [--json]"
      return 2
    end
    local about, list = rules.about(), host.json.array {}
    local errors = context.call("rules.errors", {})
    for index, name in ipairs(sorted_names(about)) do
      local facts = about[name]
      local counts = errors and errors[name] or {}
      list[index] = { name = name, file = facts.path, hash = facts.hash, examples = facts.examples, errors = counts.errors,
        by_previous = counts.by_previous }
    end
    if context.json then
      print(host.json.encode(list))
      return 0
    end
    print(("%-26s %-16s  %-15s  %s"):format("file", "hash", "self-tests", "errors since load"))
    for _, rule in ipairs(list) do
      local tests = rule.examples == 0 and "none" or rule.examples .. " passed"
      print(("%-26s %-16s  %-15s  %s"):format(rule.file, rule.hash, tests, errors_of(rule)))
    end
    return 0
  end,
}
