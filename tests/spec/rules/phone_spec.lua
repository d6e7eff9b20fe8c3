local phone = require("tool.world").rule "phone"

describe("rules.phone", function()
  it("takes a Russian number however it is typed", function()
    for _, typed in ipairs { "8 (999) 888-77-66", "999 888 77 66", "+7 999 888-77-66", "79998887766", "8\194\160999\194\160888-77-66",
      "007 999 888 77 66" } do
      assert.equal("+79998887766", phone.normalise(typed), typed)
    end
  end)

  it("keeps the country of those that name one", function()
    assert.equal("+375291234567", phone.normalise "+375 29 123-45-67")
    assert.equal("+77011234567", phone.normalise "8 701 123 45 67")
    assert.equal("+375291234567", phone.normalise "8-10-375-29-123-45-67")
    assert.equal("+375291234567", phone.normalise "00 375 29 123 45 67")
    assert.equal("+78101234567", phone.normalise "8 (810) 123-45-67")
  end)

  it("takes nothing for a phone that is none", function()
    for _, typed in ipairs { "", "позвоните мне", "+7 999 888-77", "8 800 555-35-35, 8 495 000-00-00", "7+9998887766",
      "+375291234567 +1", "++79998887766", "٨٩٩٩٨٨٨٧٧٦٦", "８９９９８８８７７６６", "+7 999 888-77-66 доб 1", "+0123456789", "123",
      "0000000000000", "+1234567890123456" } do
      assert.is_nil(phone.normalise(typed), typed)
    end
  end)

  it("shows ours in groups and leaves others alone", function()
    assert.equal("+7 999 888-77-66", phone.shown "+79998887766")
    assert.equal("+375291234567", phone.shown "+375291234567")
  end)
end)
