local vectors = require "support.vectors"
local world = require "tool.world"

local card = world.rule "card"
local published = vectors.load "cargotech"
local value = vectors.value

describe("rules.card", function()
  it("writes prices as published", function()
    for _, case in ipairs(published.format_price_kopecks) do assert.equal(case[2], card.price(value(case[1]))) end
    assert.equal("—", card.price(0))
    assert.equal("1 234 567,89 ₽", card.price(123456789))
  end)

  it("writes weight and volume as published", function()
    for _, case in ipairs(published.format_weight_kg_volume_m3) do
      assert.equal(case[2], card.weight_volume(value(case[1][1]), value(case[1][2])))
    end
    assert.equal("0,0 т / 0,0 м³", card.weight_volume(49, 0.04))
    assert.equal("12,4 т / 82 м³", card.weight_volume(12350, 82.0))
    assert.equal("", card.weight_volume(true, {}))
  end)

  it("dials phones as published, except two rows that SPEC repairs", function()
    local repaired = { ["+"] = "", ["+7 999 888-77-66 доб. 12"] = "+79998887766;ext=12" }
    for _, case in ipairs(published.format_phone_tel) do
      assert.equal(repaired[case[1]] or case[2], card.phone_tel(case[1]))
    end
  end)

  it("dials the first of several numbers and keeps extensions apart", function()
    for shown, tel in pairs {
      ["8 800 555-35-35, 8 495 000-00-00"] = "+78005553535",
      ["+7 999 888-77-66 / +7 911 111-11-11"] = "+79998887766",
      ["+7 999 888-77-66 +7 911 111-11-11"] = "+79998887766",
      ["8 800 555-35-35; 8 495 000-00-00"] = "+78005553535",
      ["8 (495) 000-00-00 (доб. 123)"] = "+74950000000;ext=123",
      ["+7 495 000-00-00, доб 5"] = "+74950000000;ext=5",
      ["+7 495 000-00-00 ДОБ.№ 7"] = "+74950000000;ext=7",
      ["+375 29 123-45-67"] = "+375291234567",
      ["375291234567"] = "+375291234567",
      ["нет"] = "", ["доб. 12"] = "", ["  "] = "",
    } do
      assert.equal(tel, card.phone_tel(shown), shown)
    end
  end)

  it("leaves out of a phone link what is said behind the number", function()
    for shown, tel in pairs {
      ["8 999 888-77-66 до 18:00"] = "+79998887766",
      ["8 999 888-77-66 с 9 до 18"] = "+79998887766",
      ["+7 999 888-77-66 (24/7)"] = "+79998887766",
      ["+7 999 888-77-66 x12"] = "+79998887766",
      ["89998887766*12"] = "+79998887766",
      ["8 800 555-35-35 или 8 495 000-00-00"] = "+78005553535",
      ["8 999 888-77-66 Иван 2"] = "+79998887766",
      ["Иван: +375 29 123-45-67 Viber"] = "+375291234567",
      ["8 (4852) 12-34-56"] = "+74852123456",
    } do
      assert.equal(tel, card.phone_tel(shown), shown)
    end
  end)

  it("rounds by the decimal text, halves up, and groups thousands", function()
    for _, case in ipairs {
      { 49, 0.05, "0,0 т / 0,1 м³" }, { 50, 0.95, "0,1 т / 1,0 м³" }, { 949, 9.94, "0,9 т / 9,9 м³" }, { 950, 9.95, "1,0 т / 10,0 м³" },
      { 999950, 1049.5, "1 000,0 т / 1 049,5 м³" }, { 150, 2.25, "0,2 т / 2,3 м³" }, { 250, 2.35, "0,3 т / 2,4 м³" },
      { 350, 86.05, "0,4 т / 86,1 м³" }, { -5, 82.45, "82,5 м³" }, { true, 5, "5 м³" }, { 1e9, 1e6, "1 000 000,0 т / 1 000 000 м³" },
    } do
      assert.equal(case[3], card.weight_volume(case[1], case[2]))
    end
    for kopecks, shown in pairs {
      [101] = "1,01 ₽", [110] = "1,10 ₽", [99999] = "999,99 ₽", [100000] = "1 000 ₽", [-1] = "-0,01 ₽", [-150] = "-1,50 ₽",
      [-1234567] = "-12 345,67 ₽", [99999999999] = "999 999 999,99 ₽",
    } do
      assert.equal(shown, card.price(kopecks))
    end
  end)

  it("takes the wall clock of a date and drops what is none", function()
    for shown, expected in pairs {
      ["2026-01-26T08:00:00.123456Z"] = "2026-01-26T08:00:00", ["2026-01-26T23:59:59+14:00"] = "2026-01-26T23:59:59",
      ["2026-01-26T08:00:00-0500"] = "2026-01-26T08:00:00", ["2026-01-26 08:00:00"] = "2026-01-26T08:00:00",
      ["2026-12-31T23:30:00-03:00"] = "2026-12-31T23:30:00", ["2028-02-29"] = "2028-02-29T00:00:00",
      ["2026-02-29T10:00:00Z"] = false, ["2026-01-26T24:00:00"] = false, ["2026-01-26T08:60:00"] = false, ["2026-1-26"] = false,
      ["2026-13-01"] = false, ["1769385600"] = false, ["0000-01-01"] = false,
    } do
      local made = card.format { id = 1, points = { start = { first_date = shown } } }
      assert.equal(expected or nil, made.loading_date, shown)
    end
  end)

  it("makes the published cards, all types joined", function()
    local types = { -- SPEC 2.2: joined from all entries, short name first
      ["481516"] = { "тент, реф", "зад, бок, верх" }, ["481517"] = { "борт", "" },
      ["481518"] = { "", "Полная растентовка" },
    }
    for index, raw in ipairs(published.list.data) do
      local made, expected = card.format(raw), published.list_expected_cards[index]
      assert.equal(expected.cargo_id, made.id)
      assert.equal(expected.route_from, made.route.from)
      assert.equal(expected.route_to, made.route.to)
      assert.equal(expected.title, made.title)
      assert.equal(expected.price_display, made.price)
      assert.equal(expected.wv_display, made.weight_volume)
      assert.equal(value(expected.loading_date), made.loading_date)
      assert.equal(value(expected.unloading_date), made.unloading_date)
      assert.same(types[made.id], { made.truck_type, made.loading_type })
    end
    local first = card.format(published.list.data[1])
    assert.equal("26 янв", first.loading_display)
    assert.equal("27 янв", first.unloading_display)
    assert.equal(1350000, first.price_kopecks)
    assert.equal(1896, first.price_per_km)
    assert.equal(712, first.distance_km)
  end)

  it("makes the published detail", function()
    local detail, expected = card.detail(published.detail.data), published.detail_expected
    assert.equal(expected.description, detail.comment)
    assert.equal(expected.cargo_type, detail.cargo_type)
    assert.equal(expected.contact_name, detail.shipper.name)
    assert.equal(expected.shipper_inn, detail.shipper.inn)
    assert.equal(expected.contacts_company_name, detail.contact.company)
    assert.equal(expected.contacts_person_name, detail.contact.person)
    assert.equal(expected.contacts_phone, detail.contact.phone)
    assert.equal(expected.contacts_phone_tel, detail.contact.phone_tel)
    assert.equal(expected.price_display, detail.price)
    assert.equal(expected.wv_display, detail.weight_volume)
    assert.equal("26 янв 08:00–18:00", detail.loading_window)
    assert.equal("27 янв 09:30", detail.unloading_window)
    assert.equal("25 янв 14:03", detail.posted)
    assert.same({ "Догруз" }, detail.tags)
  end)

  it("has no card without a positive integer id", function()
    for _, id in ipairs { 0, -1, 1.5, "abc", "481516", true, {}, 2 ^ 60, host.json.null } do
      assert.is_nil(card.format { id = id })
    end
    assert.is_nil(card.format {})
    assert.is_nil(card.format "cargo")
    assert.equal("9007199254740992", card.format({ id = 2 ^ 53 }).id)
  end)

  it("survives any wrong type in any field", function()
    local junk = { true, false, "text", -1, 0, 1e300, {}, { {} }, { "x" }, host.json.null, { name = {} },
      { start = true }, { start = { city = { name = 5 }, first_date = {} } } }
    local names = { "weight", "volume", "distance", "price", "price_carrier", "price_per_km", "points", "company",
      "load_types", "truck_types", "contacts", "extra", "cargo_type", "shipper", "created_at" }
    for _, name in ipairs(names) do
      for _, wrong in ipairs(junk) do
        local made = card.detail { id = 7, [name] = wrong }
        assert.equal("7", made.id)
        assert.equal("7", made.title)
      end
    end
  end)

  it("prefers the carrier's price when it is a number that is not zero", function()
    assert.equal("13 500 ₽", card.format({ id = 1, price = 1690000, price_carrier = 1350000 }).price)
    assert.equal("352,50 ₽", card.format({ id = 1, price = 35250, price_carrier = 0 }).price)
    assert.equal("352,50 ₽", card.format({ id = 1, price = 35250, price_carrier = "1" }).price)
    assert.equal("—", card.format({ id = 1 }).price)
    assert.is_nil(card.format({ id = 1, price = 0 }).price_kopecks)
  end)

  it("makes a card of the little that some cargos say", function()
    local made = card.format(world.fixture "cargo/no_price.json")
    assert.equal("—", made.price)
    assert.equal("1,5 т", made.weight_volume)
    assert.equal("Петропавловск-Камчатский", made.route.to)
    assert.equal("481518", card.format(world.fixture "cargo/no_points.json").title)
  end)

  it("speaks English when asked", function()
    local made = card.format(world.fixture "cargo/two_points.json", "en")
    assert.equal("13,500 ₽", made.price)
    assert.equal("20.0 t / 86 m³", made.weight_volume)
    assert.equal("26 Jan", made.loading_display)
  end)

  it("chooses the broker or company first, then who has a name or a phone", function()
    local function contact(contacts) return card.detail({ id = 1, contacts = contacts }).contact end
    assert.equal("Б", contact({ { type = "manager", name = "А" }, { type = "company", name = "Б" } }).person)
    assert.equal("А", contact({ { type = "manager", name = "А" }, { type = "broker", name = "", phone = "" } }).person)
    assert.equal("1", contact({ { type = "broker", phone = "2", phones = { "", "1" } } }).phone)
    assert.equal("2", contact({ { type = "broker", phone = "2", phones = { "" } } }).phone)
    assert.is_nil(contact({}).person)
  end)

  it("links only to http addresses", function()
    local function url(shown) return card.detail({ id = 1, extra = { url = shown } }).source_url end
    assert.equal("https://x.example/1", url "https://x.example/1")
    for _, bad in ipairs { "javascript:alert(1)", "//x", "https://", 'https://x.example/"onclick=' } do
      assert.is_nil(url(bad))
    end
  end)
end)
