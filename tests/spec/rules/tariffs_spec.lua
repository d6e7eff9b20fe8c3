local world = require "tool.world"

describe("rules.tariffs", function()
  local tariffs = world.rule "tariffs"

  local function one(changes)
    local tariff = { name = "week", title = { ru = "Неделя" }, days = 7, price_kopecks = 14900 }
    for key, value in pairs(changes or {}) do tariff[key] = value end
    return { tariff }
  end

  it("sells the four of the specification", function()
    local shown = {}
    for _, tariff in ipairs(tariffs.list) do
      shown[#shown + 1] = ("%s %d %d"):format(tariff.name, tariff.price_kopecks, tariff.days)
    end
    assert.same({ "1_month 49900 30", "3_months 129900 90", "6_months 239900 180", "12_months 399900 365" }, shown)
    assert.equal("", tariffs.problem(tariffs.list))
  end)

  it("names what is wrong with a list", function()
    assert.equal("", tariffs.problem(one()))
    assert.equal("there are no tariffs", tariffs.problem {})
    assert.equal("tariff 1: wrong name", tariffs.problem(one { name = "1 week" }))
    assert.equal("tariff 1: wrong title", tariffs.problem(one { title = "Неделя" }))
    assert.equal("tariff 1: wrong days", tariffs.problem(one { days = 1.5 }))
    assert.equal("tariff 1: wrong price_kopecks", tariffs.problem(one { price_kopecks = 99 }))
    assert.equal("tariff 1: wrong price_kopecks", tariffs.problem(one { price_kopecks = "14900" }))
    for _, wrong in ipairs { 5, true, { "новое" } } do assert.equal("tariff 1: wrong badge", tariffs.problem(one { badge = wrong })) end
    for _, wrong in ipairs { "no", 0 } do assert.equal("tariff 1: wrong on_sale", tariffs.problem(one { on_sale = wrong })) end
    assert.equal("", tariffs.problem(one { badge = host.json.null, on_sale = false }))
    local twice = { one()[1], one()[1] }
    assert.equal("two tariffs are called week", tariffs.problem(twice))
  end)

  it("writes kopecks as the gateway does and reads them back", function()
    for _, kopecks in ipairs { 0, 1, 10, 99, 100, 49900, 129901, 99999999 } do
      assert.equal(kopecks, tariffs.kopecks(tariffs.amount(kopecks)))
    end
  end)

  it("reads no amount from what is none", function()
    for _, wrong in ipairs { "", ".", "1.", ".5", "1.005", "-1.00", "1e3", "1,00", " 1.00", "１.00", true, {}, 1 / 0, -1 } do
      assert.is_nil(tariffs.kopecks(wrong))
    end
  end)
end)
