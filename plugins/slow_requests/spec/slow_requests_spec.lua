local fixture = require "services.plugin_fixture"

describe("slow_requests", function()
  it("logs what took too long, and nothing else", function()
    local plugin = fixture.load("slow_requests", { threshold_ms = 100 })
    plugin:request({ took_ms = 99, route = "/a" })
    assert.equal(0, #plugin.logged)
    plugin:request({ took_ms = 250.04, route = "/a" })
    assert.equal("slow request", plugin.logged[1].message)
    assert.equal("/a", plugin.logged[1].fields.route)
    assert.equal(250, plugin.logged[1].fields.took_ms)
    assert.same({ slow_requests = 1 }, plugin.plugin.definition.admin.status(plugin.self))
  end)
end)
