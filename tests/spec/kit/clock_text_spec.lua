local clock_text = require "kit.clock_text"
local vectors = require "support.vectors"

describe("kit.clock_text", function()
  it("reads what the reference reads", function()
    for _, case in ipairs(vectors.load("cargotech").parse_datetime) do
      local moment = clock_text.parse(case[1])
      assert.equal(vectors.value(case[2]), moment and clock_text.iso(moment))
    end
  end)

  it("keeps the wall clock and drops whatever zone", function()
    for _, shown in ipairs { "2026-01-26T08:00:00.000000Z", "2026-01-26T08:00:00+03:00", "2026-01-26 08:00",
      "2026-01-26T08:00:00-0500", "2026-01-26T08:00:00.123", "2026-01-26T08", "2026-01-26T08Z", "2026-01-26T08+03:00" } do
      assert.equal("2026-01-26T08:00:00", clock_text.iso(clock_text.parse(shown)))
    end
    assert.equal("2026-01-26T00:00:00", clock_text.iso(clock_text.parse "2026-01-26Z"))
  end)

  it("gives nothing for what is no date", function()
    for _, bad in ipairs { "2026-01-26T25:00:00", "2026-01-26T08:60:00", "2026-01-26T", "2026-01-26x", "2026-13-01",
      "2026-01-26T8:00", "2026-01-26T8", "2026-01-26T24", "2026-01-2608", "2026-01-26T080", "", "null", "2026-01-26+03:00" } do
      assert.is_nil(clock_text.parse(bad))
    end
    for _, bad in ipairs { 20260126, true, {} } do assert.is_nil(clock_text.parse(bad)) end
  end)
end)
