local fixture = require "services.plugin_fixture"

describe("sentry", function()
  local asked, answer

  local function load(config)
    local all = { dsn = "https://abc123@o1.ingest.example/42" }
    for key, value in pairs(config or {}) do all[key] = value end
    return fixture.load("sentry", all, {
      http = { request = function(request) asked[#asked + 1] = request return answer end },
      metrics = { count = function() end },
    })
  end

  local FAILED = { text = "lua/a.lua:3: it broke", route = "/x", method = "GET", request_id = "r-1", stopped = false,
    stack = "lua/a.lua:3: it broke\nstack traceback:\n\tlua/a.lua:3: in function 'inner'\n\tlua/b.lua:7: in function <lua/b.lua:1>" }

  before_each(function() asked, answer = {}, { status = 200 } end)

  it("sends the error with its stack, oldest call first", function()
    load():event("request.failed", FAILED)
    assert.equal("https://o1.ingest.example/api/42/envelope/", asked[1].url)
    assert.matches("sentry_key=abc123", asked[1].headers["X-Sentry-Auth"])
    local event = host.json.decode(asked[1].body:match "\n[^\n]+\n([^\n]+)\n$")
    local value = event.exception.values[1]
    assert.equal("lua/a.lua:3: it broke", value.value)
    assert.equal("lua/b.lua", value.stacktrace.frames[1].filename)
    assert.equal(3, value.stacktrace.frames[2].lineno)
    assert.equal("r-1", event.tags.request_id)
  end)

  it("does not make a storm of calls out of a storm of errors", function()
    local plugin = load({ max_per_minute = 2 })
    for _ = 1, 5 do plugin:event("request.failed", FAILED) end
    assert.is_true(#asked >= 2 and #asked <= 4) -- a minute may end in between
  end)

  it("says when Sentry refuses", function()
    answer = { status = 403 }
    assert.has_error(function() load():event("rule.failed", { text = "x", rule = "card" }) end)
  end)

  it("wants a DSN and shows none of it when it is wrong", function()
    local ok, problem = pcall(load, { dsn = "https://hidden" })
    assert.is_false(ok)
    assert.matches("is no DSN", problem)
    assert.is_nil(problem:find("hidden", 1, true))
  end)
end)
