describe("host.time", function()
  local time = host.time

  it("writes ISO 8601 in UTC and in a zone", function()
    assert.equal("2026-01-26T08:00:00Z", time.iso8601(1769414400))
    assert.equal("2026-01-26T11:00:00+03:00", time.iso8601(1769414400, "Europe/Moscow"))
    assert.equal("2026-01-26T08:00:00.250Z", time.iso8601(1769414400.25, "UTC", 3))
    assert.equal("1969-12-31T23:59:59Z", time.iso8601(-1))
  end)

  it("reads ISO 8601 with any offset", function()
    assert.equal(1769414400, time.parse_iso8601("2026-01-26T08:00:00Z"))
    assert.equal(1769414400, time.parse_iso8601("2026-01-26T11:00:00+03:00"))
    assert.near(1769414400.555, time.parse_iso8601("2026-01-26T08:00:00.555Z"), 1e-6)
    assert.equal(1769414400, time.parse_iso8601(time.iso8601(1769414400, "Asia/Vladivostok")))
  end)

  for _, text in ipairs({ "", "2026-01-26", "2026-02-30T00:00:00Z", "2026-01-26T24:00:00Z", "2026-01-26T08:00:00",
    "26.01.2026", "2026-01-26T08:00:00Z!", "2025-02-29T00:00:00Z" }) do
    it("finds no moment in «" .. text .. "»", function()
      assert.is_nil(time.parse_iso8601(text))
    end)
  end

  it("knows the calendar of a zone, also across its change of offset", function()
    local parts = time.parts(1769414400, "Europe/Moscow")
    assert.same({ 2026, 1, 26, 11, 0, 0, 1, 10800 },
      { parts.year, parts.month, parts.day, parts.hour, parts.min, parts.sec, parts.wday, parts.offset_s })
    assert.equal(14400, time.parts(1400000000, "Europe/Moscow").offset_s)
  end)

  it("finds the moment of calendar fields, and none for a date that does not exist", function()
    assert.equal(1769414400, time.from_parts({ year = 2026, month = 1, day = 26, hour = 11 }, "Europe/Moscow"))
    assert.is_nil(time.from_parts({ year = 2026, month = 2, day = 30 }))
  end)

  it("refuses a zone that does not exist", function()
    assert.has_error(function() time.parts(0, "Mars/Olympus") end)
    assert.has_error(function() time.parts(0, "../../etc/passwd") end)
    assert.has_error(function() time.parts(0, "Europe") end)
  end)

  it("refuses what is no time of the years 0 to 9999", function()
    for _, seconds in ipairs { 0 / 0, 1 / 0, -1 / 0, 1e300, 253402300800, -62167219201 } do
      assert.has_error(function() time.parts(seconds) end)
      assert.has_error(function() time.iso8601(seconds) end)
    end
    assert.equal("9999-12-31T23:59:59Z", time.iso8601(253402300799))
    for _, year in ipairs { 0 / 0, 1e300, -1, 10000 } do
      assert.is_nil(time.from_parts { year = year })
    end
    assert.is_nil(time.from_parts { year = 2026, month = 0 / 0 })
  end)

  it("never goes backwards on the monotonic clock", function()
    local before = time.monotonic_ms()
    assert.is_true(time.monotonic_ms() >= before)
  end)
end)
