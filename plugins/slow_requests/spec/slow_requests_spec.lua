local world = require "tool.world"

describe("slow_requests", function()
  it("logs what took too long, and nothing else", function()
    local plugin = world.plugin("slow_requests", { threshold_ms = 100 })
    plugin:request { path = "/a", takes_ms = 99 }
    assert.same({}, world.logs)
    plugin:request { path = "/a", takes_ms = 250.04 }
    local fields = world.logged "slow request"
    assert.equal("/a", fields.route)
    assert.equal(250, fields.took_ms)
    assert.equal(1, world.metric("plugin_slow_requests_total", { route = "/a" }))
    assert.same({ slow_requests = 1 }, plugin:status())
  end)
end)
