local cache = require "kit.cache"

describe("kit.cache", function()
  it("keeps what is used and stays bounded", function()
    local kept = cache.new { max = 10 }
    kept:set("used", 1)
    for n = 1, 100 do
      kept:set(n, n)
      assert.equal(1, kept:get "used")
    end
    assert.is_nil(kept:get(1))
    assert.equal(100, kept:get(100))
  end)

  it("forgets after its time", function()
    local kept = cache.new { max = 10, ttl_ms = 0 }
    kept:set("x", 1)
    assert.is_nil(kept:get "x")
    kept:set("x", 1, 60000)
    assert.equal(1, kept:get "x")
    kept:delete "x"
    assert.is_nil(kept:get "x")
  end)
end)
