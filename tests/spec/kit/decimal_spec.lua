local decimal = require "kit.decimal"

describe("kit.decimal", function()
  it("rounds the decimal text half up, not its binary neighbour", function()
    for _, case in ipairs {
      { 82.45, 1, 0, "82.5" }, { 82.55, 1, 0, "82.6" }, { 82.44999999999999, 1, 0, "82.4" }, { 0.05, 1, 0, "0.1" },
      { 12350, 1, -3, "12.4" }, { 750, 1, -3, "0.8" }, { 49, 1, -3, "0.0" }, { 50, 1, -3, "0.1" },
      { 999950, 1, -3, "1000.0" }, { 1.005, 2, 0, "1.01" }, { -5050, 2, -2, "-50.50" }, { 1e-7, 1, 0, "0.0" },
      { 0, 1, 0, "0.0" }, { 2.5, 0, 0, "3" }, { 0.5, 0, 0, "1" }, { 1e21, 0, 0, "1000000000000000000000" },
    } do
      assert.equal(case[4], decimal.fixed(case[1], case[2], case[3]))
    end
  end)

  it("refuses what is no number", function()
    for _, value in ipairs { "12", true, 0 / 0, math.huge, -math.huge } do
      assert.is_nil(decimal.fixed(value, 1))
    end
  end)

  it("groups thousands with an ordinary space and a comma", function()
    assert.equal("1 234 567,8", decimal.grouped "1234567.8")
    assert.equal("-100 000", decimal.grouped "-100000")
    assert.equal("12", decimal.grouped "12")
    assert.equal("1,234.5", decimal.grouped("1234.5", ",", "."))
  end)

  it("rounds like exact arithmetic for every tenth of kopeck around a boundary", function()
    for n = 0, 2000 do
      local value = n / 100
      local expected = ("%d.%d"):format(math.floor((n + 5) / 100), math.floor((n + 5) / 10) % 10)
      assert.equal(expected, decimal.fixed(value, 1))
    end
  end)
end)
