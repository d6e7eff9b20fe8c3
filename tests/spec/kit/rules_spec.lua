local rules = require "kit.rules"

-- As the panel does: in a task with time to spare for a draft that uses its own up.
local function try(source, ...)
  local arguments = { ... }
  return unpack(host.task.spawn_with({ label = "spec draft", detached = false, cpu_ms = 2000 }, function()
    host.task.sleep(0)
    local result, problem = rules.try("tariffs", source, unpack(arguments))
    return { result or false, problem }
  end):join())
end

describe("kit.rules", function()
  local live = host.script.read "lua/rules/tariffs.lua"

  local function with(body)
    return (live:gsub("  examples = {", function(all) return "  spec = function() " .. body .. " end,\n" .. all end, 1))
  end

  it("tries a draft that is not loaded", function()
    assert.equal("called", (try(with 'return "called"', "spec")))
    assert.is_nil(rules.tariffs.spec)
  end)

  it("says of a draft that computes without end that it was too late, and of nothing else", function()
    for _, late in ipairs { "while true do end\n" .. live, with "while true do end" } do
      local _, problem = try(late, "spec")
      assert.same({ "rule_failed", true }, { problem.code, problem.is_late })
    end
    local _, problem = try(with 'error "it computed for longer than its budget"', "spec")
    assert.same({ "rule_failed", false }, { problem.code, problem.is_late })
  end)
end)
