local cargo_pages = require "services.cargo_pages"

local function meta(offset, limit, found, total)
  return cargo_pages.meta({ offset = offset, limit = limit }, found, total)
end

describe("services.cargo_pages", function()
  it("says where to go on", function()
    assert.equal(20, meta(0, 20, 20, 137).next_offset)
    assert.is_nil(meta(120, 20, 17, 137).next_offset)
    assert.is_nil(meta(0, 20, 0, 137).next_offset)
  end)

  it("goes on while pages are full when the total is unknown", function()
    for _, total in ipairs { 0, -1, "x", 1.5, false } do
      assert.equal(20, meta(0, 20, 20, total).next_offset)
      assert.is_nil(meta(20, 20, 7, total).next_offset)
      assert.equal(27, meta(20, 20, 7, total).loaded)
    end
  end)

  it("counts what is loaded, never more than there is", function()
    assert.equal(40, meta(20, 20, 20, 137).loaded)
    assert.equal(30, meta(20, 20, 20, 30).loaded)
  end)

  it("has no page beyond 10000", function()
    assert.equal(10000, meta(9980, 20, 20, 50000).next_offset)
    assert.is_nil(meta(10000, 20, 20, 50000).next_offset)
  end)

  it("hashes the upstream query as the old system did", function()
    local prepared = cargo_pages.prepare { limit = 20, offset = 0, mode = "my" }
    assert.equal("eb166c8d1582c4d2d8dc0e0276f2a2f8", prepared.hash)
  end)
end)
