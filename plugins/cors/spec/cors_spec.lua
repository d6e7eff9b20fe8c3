local fixture = require "services.plugin_fixture"

local SITE = "https://shop.example"

describe("cors", function()
  local function preflight(origin)
    return { method = "OPTIONS", headers = { origin = origin, ["access-control-request-method"] = "POST" } }
  end

  it("answers the preflight of a known site", function()
    local res = fixture.load("cors", { origins = { SITE } }):request(preflight(SITE))
    assert.equal(204, res.status)
    assert.equal(SITE, res.headers["Access-Control-Allow-Origin"])
    assert.equal("GET, POST, OPTIONS", res.headers["Access-Control-Allow-Methods"])
    assert.equal("Origin", res.headers.Vary)
  end)

  it("refuses that of another one", function()
    assert.equal("forbidden_origin", fixture.load("cors", { origins = { SITE } }):request(preflight "https://evil.example").problem)
  end)

  it("marks answers to known sites and keeps what they vary by", function()
    local cors = fixture.load("cors", { origins = { SITE } })
    local res = cors:request({ headers = { origin = SITE }, answer = { status = 200, headers = { Vary = "Accept" } } })
    assert.equal(SITE, res.headers["Access-Control-Allow-Origin"])
    assert.equal("Accept, Origin", res.headers.Vary)
    assert.is_nil(cors:request({ headers = { origin = "https://evil.example" } }).headers["Access-Control-Allow-Origin"])
  end)

  it("does not take credentials from everybody", function()
    assert.has_error(function() fixture.load("cors", { origins = { "*" }, credentials = true }) end)
  end)

  it("wants origins without a path", function()
    local ok, problem = pcall(fixture.load, "cors", { origins = { "https://shop.example/page" } })
    assert.is_false(ok)
    assert.matches("is no origin", problem)
  end)
end)
