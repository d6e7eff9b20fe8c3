local texts = require("tool.world").rule "texts"

local function has_cyrillic(shown)
  return shown:find "[\208\209]" ~= nil
end

describe("rules.texts", function()
  it("has every sentence in both languages", function()
    for _, list in ipairs { texts.problems, texts.fields, texts.app } do
      for code, pair in pairs(list) do
        assert.equal(2, #pair, code)
        assert.is_false(has_cyrillic(pair[2]), code)
      end
    end
  end)

  it("fills in values and chooses plurals", function()
    assert.equal("Слишком часто. Снова через 8 с.", texts.problem("rate_limited", "ru", { seconds = 8 }))
    for n, form in pairs { [1] = "день", [3] = "дня", [5] = "дней", [11] = "дней", [21] = "день", [112] = "дней" } do
      assert.equal(form, texts.plural(n, "день|дня|дней", "ru"))
    end
    assert.equal("days", texts.plural(21, "day|days", "en"))
  end)

  it("speaks Russian to those who read it", function()
    for code, language in pairs { ru = "ru", be = "ru", ["ru-RU"] = "ru", uk = "ru", en = "en", de = "en", [""] = "ru" } do
      assert.equal(language, texts.language_of(code))
    end
    assert.equal("ru", texts.language_of(nil))
  end)
end)
