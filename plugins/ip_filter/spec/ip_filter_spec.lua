local fixture = require "services.plugin_fixture"

describe("ip_filter", function()
  local function problem_of(config, address, path)
    return fixture.load("ip_filter", config):request({ address = address, path = path or "/" }).problem
  end

  it("lets in only the allowed networks", function()
    local config = { allow = { "10.0.0.0/8", "2001:db8::/32" } }
    assert.is_nil(problem_of(config, "10.1.2.3"))
    assert.is_nil(problem_of(config, "2001:db8::1"))
    assert.equal("forbidden", problem_of(config, "203.0.113.5"))
  end)

  it("keeps the denied out, even of an allowed network", function()
    local config = { allow = { "10.0.0.0/8" }, deny = { "10.9.0.0/16" } }
    assert.equal("forbidden", problem_of(config, "10.9.1.1"))
    assert.is_nil(problem_of(config, "10.8.1.1"))
  end)

  it("looks at certain paths only, when told so", function()
    local config = { allow = { "10.0.0.0/8" }, paths = { "/admin" } }
    assert.equal("forbidden", problem_of(config, "203.0.113.5", "/admin/x"))
    assert.is_nil(problem_of(config, "203.0.113.5", "/api"))
  end)

  it("refuses a network that is none", function()
    assert.has_error(function() fixture.load("ip_filter", { allow = { "everywhere" } }) end)
    assert.has_error(function() fixture.load("ip_filter", { allow = { "10.0.0.0/99" } }) end)
  end)

  it("lets this machine in by its socket", function()
    assert.is_nil(problem_of({ allow = { "10.0.0.0/8" } }, "unix:"))
  end)
end)
