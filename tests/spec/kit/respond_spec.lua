local respond = require "kit.respond"
local view = require "kit.view"

local KEPT = { revalidate = true }

describe("kit.respond", function()
  it("lets clients keep lists and ask whether they still hold, as JSON and as HTML", function()
    for _, response in ipairs { respond.json({}, { data = {} }, KEPT), respond.html({}, view.html "<p>", KEPT) } do
      assert.equal("private, no-cache", response.headers["Cache-Control"])
      assert.truthy(response.headers.ETag)
    end
  end)

  it("lets nobody keep an answer that brings a new token", function()
    local function context() return { fresh_token = "new" } end
    for _, response in ipairs { respond.json(context(), { data = {} }, KEPT), respond.html(context(), view.html "<p>", KEPT) } do
      assert.equal("new", response.headers["X-Session-Token"])
      assert.equal("no-store", response.headers["Cache-Control"])
      assert.is_nil(response.headers.ETag)
    end
  end)
end)
