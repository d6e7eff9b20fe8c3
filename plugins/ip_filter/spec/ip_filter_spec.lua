local world = require "tool.world"

describe("ip_filter", function()
  local function status_of(config, address, path)
    return world.plugin("ip_filter", config):request({ address = address, path = path or "/" }).status
  end

  it("lets in only the allowed networks", function()
    local config = { allow = { "10.0.0.0/8", "2001:db8::/32" } }
    assert.equal(200, status_of(config, "10.1.2.3"))
    assert.equal(200, status_of(config, "2001:db8::1"))
    assert.equal(403, status_of(config, "203.0.113.5"))
  end)

  it("keeps the denied out, even of an allowed network, and counts them", function()
    local config = { allow = { "10.0.0.0/8" }, deny = { "10.9.0.0/16" } }
    assert.equal(403, status_of(config, "10.9.1.1"))
    assert.equal(200, status_of(config, "10.8.1.1"))
    assert.equal(1, world.metric "plugin_ip_filter_refused_total")
  end)

  it("looks at certain paths only, when told so", function()
    local config = { allow = { "10.0.0.0/8" }, paths = { "/admin" } }
    assert.equal(403, status_of(config, "203.0.113.5", "/admin/x"))
    assert.equal(200, status_of(config, "203.0.113.5", "/api"))
  end)

  it("refuses a network that is none", function()
    assert.has_error(function() world.plugin("ip_filter", { allow = { "everywhere" } }) end)
    assert.has_error(function() world.plugin("ip_filter", { allow = { "10.0.0.0/99" } }) end)
  end)

  it("lets this machine in by its socket", function()
    assert.equal(200, status_of({ allow = { "10.0.0.0/8" } }, "unix:"))
  end)
end)
