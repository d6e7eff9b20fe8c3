--- `fura rules`: the rules product people edit: file, hash, self-tests, errors since this source was loaded.
local listing = require "tool.listing"
local rules = require "kit.rules"
local sorted_names = require "kit.sorted_names"

local function errors_of(rule)
  if not rule.errors then return "no server runs" end
  if rule.errors == 0 then return "0" end
  return ("%d, %d of them answered by the previous version"):format(rule.errors, rule.by_previous)
end

-- In the order of their names.
local function list_of(about, errors)
  local list = {}
  for index, name in ipairs(sorted_names(about)) do
    local facts, counts = about[name], errors and errors[name] or {}
    list[index] = { name = name, file = facts.path, hash = facts.hash, examples = facts.examples, errors = counts.errors,
      by_previous = counts.by_previous }
  end
  return list
end

local LINE = "%-26s %-16s  %-15s  %s"

return {
  about = "Rules: file, hash, self-tests, errors since load.",
  usage = "rules [--json]",

  --- @param args string[]
  --- @param context {json: boolean, call: function}
  --- @return integer exit_status
  run = function(args, context)
    if #args > 0 then
      return 2
    end
    print(listing(context, list_of(rules.about(), context.call("rules.errors", {})), {
      head = LINE:format("file", "hash", "self-tests", "errors since load"),
      line = function(rule)
        local tests = rule.examples == 0 and "none" or rule.examples .. " passed"
        return LINE:format(rule.file, rule.hash, tests, errors_of(rule))
      end,
    }))
    return 0
  end,
}
