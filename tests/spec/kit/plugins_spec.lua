local plugins = require "kit.plugins"

local WORLD = { events = { "payment.succeeded", "payment.refunded" }, services = { outbox = function() return {} end } }

--- What is wrong with a plugin that has these members.
local function problems(members)
  local source = 'return {\n  name = "guard", version = "1.0.0", api = 1, stage = "rules",\n' .. members .. "\n}\n"
  local plugin, wrong = plugins.read("guard", "plugins/guard/plugin.lua", source, WORLD)
  return plugin, wrong and table.concat(wrong, "\n")
end

describe("kit.plugins", function()
  it("takes a plugin that uses every part of the table", function()
    local plugin, wrong = plugins.read("yookassa_guard", "plugins/yookassa_guard/plugin.lua", [[
      return {
        name = "yookassa_guard", version = "1.2.0", api = 1,
        stage = "auth", after = { "session" }, before = { "rate_limit" },
        on_error = "fail",
        budget = { cpu_ms = 20, wall_ms = 500, mem_kb = 512 },
        config = { shop_id = { type = "string", required = true, doc = "…" }, secret = { type = "secret" },
          timeout_ms = { type = "int", default = 1500, min = 50, max = 10000 } },
        needs = { "http", "redis" },
        start = function(self, conf) end, stop = function(self, reason) end,
        on_request = function(self, req, conf) end, on_response = function(self, req, res, conf) end,
        after_response = function(self, req, res, conf) end,
        on_error_hook = nil, on_message = nil, jobs = { { every = "5m", name = "sync", run = function(self) end } },
        admin = { status = function(self) return {} end },
      }]], WORLD)
    assert.is_nil(wrong)
    assert.same({}, plugins.configure(plugin, { shop_id = "1", timeout_ms = 50 }, tostring, WORLD))
    assert.matches("timeout_ms: is of the wrong kind %(expected a whole number",
      plugins.configure(plugin, { shop_id = "1", timeout_ms = 50.5 }, tostring, WORLD)[1])
  end)

  it("lets a plugin name what all have", function()
    assert.is_table((problems 'needs = { "log", "metrics", "json", "crypto", "time", "redis" }'))
  end)

  local WRONG = {
    ["needs by name"] = { "needs = { http = true }", "needs is no list" },
    ["a need that is a pattern"] = { 'needs = { "[a-z]+" }', "there is no '%[a%-z%]%+'" },
    ["an order by name"] = { "after = { cors = true }", "after is no list" },
    ["jobs by name"] = { 'jobs = { sync = { every = "5m", run = function() end } }', "jobs is no list" },
    ["two jobs of one name"] = { 'jobs = { { every = "5m", name = "a", run = math.abs }, { every = "1h", name = "a", run = math.abs } }',
      "jobs: two are called a" },
    ["a job's name with a space"] = { 'jobs = { { every = "5m", name = "a b", run = function() end } }', "the name is wrong" },
    ["routes by path"] = { 'routes = { ["/plugins/guard"] = { access = "public", handle = function() end } }', "routes is no list" },
    ["an unknown method"] = { 'routes = { { "FETCH", "/plugins/guard", access = "public", handle = math.abs } }', "no method 'FETCH'" },
    ["a piece of an event's name"] = { 'events = { ["payment"] = function() end }', "nobody tells of 'payment'" },
    ["a budget that is no number"] = { "budget = { cpu_ms = 0/0 }", "budget%.cpu_ms is wrong" },
    ["a status that is no function"] = { 'admin = { status = "well" }', "admin%.status is wrong" },
    ["an admin member misspelt"] = { "admin = { statuss = function() end }", "admin%.statuss is unknown" },
    ["choices without braces"] = { 'config = { mode = { type = "string", one_of = "a" } }', "config%.mode%.one_of: is of the wrong kind" },
    ["a limit in quotes"] = { 'config = { n = { type = "integer", min = "1" } }', "config%.n%.min: is of the wrong kind" },
  }
  for what, case in pairs(WRONG) do
    it("refuses " .. what .. " with the line", function()
      local plugin, wrong = problems(case[1])
      assert.is_nil(plugin)
      assert.matches("^plugins/guard/plugin%.lua:3: ", wrong)
      assert.matches(case[2], wrong)
    end)
  end

  it("refuses a version that would lead out of the folder when packed", function()
    local _, wrong = plugins.read("guard", "plugins/guard/plugin.lua",
      'return {\n  name = "guard", version = "../../x", api = 1, stage = "rules",\n}', WORLD)
    assert.matches("version is wrong", wrong[1])
  end)
end)
