local build_query = require "contracts.filters.build_query"
local vectors = require "support.vectors"
local world = require "tool.world"

local published = vectors.load "cargotech"

describe("rules.query", function()
  local query = world.rule "query"

  it("always sends the mode and no user, and nothing for filters that are not set", function()
    assert.same({ include = "contacts", limit = 20, offset = 0, ["filter[mode]"] = "my", ["filter[user_id]"] = 0 }, query.build {})
  end)
end)

describe("3.2 filters.build_query", function()
  it("builds the published queries", function()
    for _, case in ipairs(published.query_building) do assert.same(case[2], build_query(case[1])) end
  end)

  it("sends a type and a radius only with an id", function()
    local query = build_query { start_point_type = 1, start_point_radius = 100 }
    assert.is_nil(query["filter[start_point_type]"])
    assert.is_nil(query["filter[start_point_radius]"])
    query = build_query { finish_point_id = 70, finish_point_type = 1, finish_point_radius = 0 }
    assert.equal(1, query["filter[finish_point_type]"])
    assert.equal(0, query["filter[finish_point_radius]"])
  end)

  it("has the published hash as compact JSON with sorted keys", function()
    for _, case in ipairs(published.cache_hash) do
      local compact = host.json.encode(case[1], { sorted = true })
      assert.equal(case[2], host.crypto.hex(host.crypto.md5(compact)))
    end
  end)
end)
