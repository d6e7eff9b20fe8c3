local world = require "tool.world"

local ENVELOPE = "https://o1.ingest.example/api/42/envelope/"
local FAILED = { text = "lua/a.lua:3: it broke", route = "/x", method = "GET", request_id = "r-1", stopped = false,
  stack = "lua/a.lua:3: it broke\nstack traceback:\n\tlua/a.lua:3: in function 'inner'\n\tlua/b.lua:7: in function <lua/b.lua:1>" }

describe("sentry", function()
  local function load(config)
    local all = { dsn = "https://abc123@o1.ingest.example/42" }
    for key, value in pairs(config or {}) do all[key] = value end
    return world.plugin("sentry", all)
  end

  it("sends the error with its stack, oldest call first", function()
    world.http:reply("POST", ENVELOPE, {})
    load():event("request.failed", FAILED)
    local asked = world.http.asked[1]
    assert.matches("sentry_key=abc123", asked.headers["X-Sentry-Auth"])
    local event = host.json.decode(asked.body:match "\n[^\n]+\n([^\n]+)\n$")
    local value = event.exception.values[1]
    assert.equal("lua/a.lua:3: it broke", value.value)
    assert.equal("lua/b.lua", value.stacktrace.frames[1].filename)
    assert.equal(3, value.stacktrace.frames[2].lineno)
    assert.equal("r-1", event.tags.request_id)
  end)

  it("does not make a storm of calls out of a storm of errors", function()
    world.http:reply("POST", ENVELOPE, {})
    local plugin = load { max_per_minute = 2 }
    for _ = 1, 5 do plugin:event("request.failed", FAILED) end
    assert.equal(2, #world.http.asked)
    assert.equal(3, world.metric "plugin_sentry_dropped_total")
    world.advance "1m"
    plugin:event("request.failed", FAILED)
    assert.equal(3, #world.http.asked)
  end)

  it("says when Sentry refuses, or is silent", function()
    local plugin = load()
    world.http:reply("POST", ENVELOPE, { status = 403, times = 1 }):reply("POST", ENVELOPE, { error = "timeout" })
    plugin:event("rule.failed", { text = "x", rule = "card" })
    assert.matches("Sentry answered 403", plugin:error())
    plugin:event("rule.failed", { text = "x", rule = "card" })
    assert.matches("Sentry does not answer: http: timeout", plugin:error())
  end)

  it("wants a DSN and shows none of it when it is wrong", function()
    local ok, problem = pcall(load, { dsn = "https://hidden" })
    assert.is_false(ok)
    assert.matches("is no DSN", problem)
    assert.is_nil(problem:find("hidden", 1, true))
  end)
end)
