local vectors = require "support.vectors"
local validate = require "contracts.filters.validate"
local world = require "tool.world"

local published = vectors.load "cargotech"

local function wrong_fields(failure)
  local fields = {}
  for index, field in ipairs(failure.fields) do fields[index] = field.field end
  return fields
end

describe("rules.filters", function()
  local filters = world.rule "filters"

  it("tells tonnes and cubic metres apart", function()
    assert.equal("weight_range", (filters.weight_volume "0.09-5"))
    assert.equal("volume_range", (filters.weight_volume "5-0.05"))
    for _, preset in ipairs(filters.weight_volume_presets) do assert.is_nil((filters.weight_volume(preset))) end
  end)
end)

describe("3.1 filters.validate", function()
  it("answers the published cases, except loose integers", function()
    for _, case in ipairs(published.filter_validation) do
      local input, expected = case[1], case[2]
      local filters, failure = validate(input)
      if input.start_point_id == "62.0" then
        assert.same({ "start_point_id" }, wrong_fields(failure)) -- SPEC 3.1: integers are plain decimal digits
      elseif expected.ok then
        assert.same(expected.ok, filters)
      else
        assert.equal("invalid_filter", failure.code)
        assert.equal(400, failure.status)
        assert.same({ expected.errors[1][1] }, wrong_fields(failure))
      end
    end
  end)

  it("takes any and empty as no filter", function()
    for _, none in ipairs { "any", "", "  " } do assert.is_nil(validate({ weight_volume = none }).weight_volume) end
  end)

  it("keeps to its limits", function()
    for input, ok in pairs {
      ["0.1-0.1"] = true, ["1000-200"] = true, ["1000.0-200.0"] = true, ["0.09-5"] = false, ["5-0.05"] = false,
      ["1000.1-9"] = false, ["5-200.1"] = false, ["5"] = false, ["5-"] = false, ["-5-9"] = false, ["5-9-3"] = false,
      ["5.-9"] = false, [".5-9"] = false, ["1e2-9"] = false, ["٥-٩"] = false, ["5–9"] = false,
    } do
      assert.equal(ok, validate({ weight_volume = input }) ~= nil, input)
    end
    assert.is_nil(validate { offset = "10001" })
    assert.equal(10000, validate({ offset = "10000" }).offset)
    assert.is_nil(validate { start_point_radius = "1001" })
    assert.equal(0, validate({ start_point_radius = "0" }).start_point_radius)
  end)

  it("takes at most twenty types and a taxpayer number of 10 or 12 digits", function()
    local twenty = {}
    for n = 1, 20 do twenty[n] = n end
    local ids = table.concat(twenty, ",")
    assert.equal(ids, validate({ load_types = ids }).load_types)
    assert.is_nil(validate { load_types = ids .. ",21" })
    assert.is_nil(validate { truck_types = ("1,"):rep(20) .. "1" })
    assert.equal("7700000000", validate({ owner_company = "7700000000" }).owner_company)
    assert.equal("770000000012", validate({ owner_company = "770000000012" }).owner_company)
    for _, bad in ipairs { "770000000", "77000000001", "77000000O0", "77 0000000" } do
      assert.is_nil(validate { owner_company = bad })
    end
  end)

  it("takes no other way of writing a number or a day", function()
    local refused = {
      limit = { "0", "101", "-1", "1.0", "1e1", "+5", "0x10", "٥", "５", "1 0", "99999999999999999999" },
      start_point_id = { "0", "-1", "1e3", "62.0", "٦٢" },
      finish_point_type = { "0", "x" }, start_point_radius = { "-1", "1001", "0.5" },
      start_date = { "2026-02-29", "2100-02-29", "2026-04-31", "2026-00-10", "2026-1-1", "20260101", "2026-01-26T00:00:00",
        "1769385600", "２０２６-01-26", "0000-01-01", "today" },
      weight_volume = { "0-5", "5-0", "1000.01-5", "5-200.01", "15,5-65", "15-65-3", "١٥-٦٥", "15–65" },
      load_types = { ",1", "1,,2", "1.5", "-1", "١", "1;2" },
      distance = { "5", "5,", "1,2,3", "1, 2", "6,5", "1.5,2", "a,b" },
      owner_company = { "٧٧٠٠٠٠٠٠٠٠", "77000000001", "7.70000000" },
      mode = { "MY", "my,all", "none" },
    }
    for field, values in pairs(refused) do
      for _, value in ipairs(values) do
        local filters, failure = validate { [field] = value }
        assert.is_nil(filters, field .. "=" .. value)
        assert.same({ field }, wrong_fields(failure))
      end
    end
    for _, day in ipairs { "2028-02-29", "2000-02-29", " 2026-12-31 " } do
      assert.equal((day:gsub(" ", "")), validate({ start_date = day }).start_date)
    end
  end)

  it("takes ranges", function()
    assert.equal("0,99999900", validate({ price = "0,99999900" }).price)
    assert.is_nil(validate { price = "5,1" })
    assert.is_nil(validate { distance = "-1,5" })
  end)

  it("ignores what it does not know", function()
    assert.same({ limit = 20, offset = 0, mode = "my" }, validate { _rid = "7", unknown = "x" })
  end)
end)
