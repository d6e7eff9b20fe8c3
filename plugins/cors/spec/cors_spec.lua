local world = require "tool.world"

local SITE = "https://shop.example"

describe("cors", function()
  local function preflight(origin)
    return { method = "OPTIONS", headers = { origin = origin, ["access-control-request-method"] = "POST" } }
  end

  it("answers the preflight of a known site", function()
    local res, reached = world.plugin("cors", { origins = { SITE } }):request(preflight(SITE))
    assert.is_false(reached)
    assert.equal(204, res.status)
    assert.equal(SITE, res.headers["Access-Control-Allow-Origin"])
    assert.equal("GET, POST, OPTIONS", res.headers["Access-Control-Allow-Methods"])
    assert.equal("Origin", res.headers.Vary)
  end)

  it("refuses that of another one", function()
    local res = world.plugin("cors", { origins = { SITE } }):request(preflight "https://evil.example")
    assert.equal(403, res.status)
    assert.equal("forbidden_origin", res.json.code)
  end)

  it("marks answers to known sites and keeps what they vary by", function()
    local cors = world.plugin("cors", { origins = { SITE } })
    local res = cors:response({ headers = { Vary = "Accept" } }, { headers = { origin = SITE } })
    assert.equal(SITE, res.headers["Access-Control-Allow-Origin"])
    assert.equal("Accept, Origin", res.headers.Vary)
    assert.is_nil(cors:request({ headers = { origin = "https://evil.example" } }).headers["Access-Control-Allow-Origin"])
  end)

  it("does not take credentials from everybody", function()
    assert.has_error(function() world.plugin("cors", { origins = { "*" }, credentials = true }) end)
  end)

  it("wants origins without a path", function()
    local ok, problem = pcall(world.plugin, "cors", { origins = { "https://shop.example/page" } })
    assert.is_false(ok)
    assert.matches("is no origin", problem)
  end)
end)
