local text = require "kit.text"

describe("kit.text", function()
  it("lowers Cyrillic, Latin and Ukrainian letters and leaves the rest", function()
    assert.equal("москва ёлка abc їжак ärger 12 №", text.lower "МОСКВА Ёлка ABC Їжак Ärger 12 №")
    assert.equal("ґанок әлем", text.lower "Ґанок Әлем")
  end)

  it("trims also no-break spaces and squeezes what is inside", function()
    assert.equal("Нижний Новгород", text.squeeze "\194\160  Нижний \t\n Новгород \194\160")
    assert.equal("", text.squeeze " \t ")
  end)

  it("counts characters, not bytes", function()
    assert.equal(6, text.length "Москва")
    assert.equal(1, text.length "😀")
    assert.equal(0, text.length "")
  end)

  it("knows broken UTF-8: overlong, surrogates, beyond the last plane, cut short", function()
    for _, bad in ipairs { "\255", "\192\175", "\224\128\175", "\237\160\128", "\244\144\128\128", "\208", "а\128" } do
      assert.is_false(text.is_utf8(bad))
    end
    assert.is_true(text.is_utf8 "\237\159\191\238\128\128\244\143\191\191")
  end)

  it("cuts between characters", function()
    assert.equal("Мос", text.first("Москва", 3))
    assert.equal("Мо", text.first("Мо", 30))
  end)
end)
