local schema = require "kit.schema"

local function parse_one(field, value)
  local result, problems = schema.parse({ x = field }, { x = value })
  if result then return result.x end
  return nil, problems[1].code
end

local function code_of(field, value)
  return select(2, parse_one(field, value))
end

describe("kit.schema", function()
  it("takes integers as plain decimal digits only", function()
    local field = { type = "integer" }
    assert.equal(62, parse_one(field, " 62 "))
    assert.equal(62, parse_one(field, "062"))
    assert.equal(62, parse_one(field, 62))
    assert.equal(-5, parse_one(field, "-5"))
    for _, bad in ipairs { "62.0", "+5", "-0", "1e3", "0x10", "٦٢", "6 2", "12345678901234567", 1.5, true, {} } do
      assert.equal("integer", code_of(field, bad))
    end
  end)

  it("keeps to min and max and says which", function()
    local field = { type = "integer", min = 1, max = 100 }
    assert.equal("min", code_of(field, "0"))
    assert.equal("max", code_of(field, "101"))
    assert.equal(100, parse_one(field, "100"))
  end)

  it("treats empty text and JSON null as absent", function()
    assert.equal(20, parse_one({ type = "integer", default = 20 }, ""))
    assert.equal(20, parse_one({ type = "integer", default = 20 }, host.json.null))
    assert.is_nil((parse_one({ type = "string" }, "   ")))
    assert.equal("required", code_of({ type = "string", required = true }, " "))
  end)

  it("knows real calendar dates", function()
    local field = { type = "date" }
    assert.equal("2028-02-29", parse_one(field, "2028-02-29"))
    for _, bad in ipairs { "2026-02-29", "2026-02-30", "26.01.2026", "2026-1-2", "2026-13-01", "2026-00-10",
      "2026-01-26T08:00:00", "1767225600", "0000-01-01", 20260126 } do
      assert.equal("date", code_of(field, bad))
    end
  end)

  it("takes ids without spaces, once each, and from repeated parameters", function()
    local field = { type = "ids", max_items = 3 }
    assert.equal("1,3", parse_one(field, "1,3,1"))
    assert.equal("1,3", parse_one(field, { "1", "3", repeated = true }))
    for _, bad in ipairs { "1, 2", "1,", ",1", "1,,2", "a", "-1", "0" } do assert.equal("ids", code_of(field, bad)) end
    for _, many in ipairs { "1,2,3,4", "1,1,1,1" } do assert.equal("too_many", code_of(field, many)) end
    assert.equal("repeated", code_of({ type = "string" }, { "a", "b", repeated = true }))
  end)

  it("takes ranges of non-negative integers in order", function()
    local field = { type = "range" }
    assert.equal("0,99999900", parse_one(field, "0,99999900"))
    assert.equal("range_order", code_of(field, "5,1"))
    for _, bad in ipairs { "5", "5,", "a,b", "-1,5", "1.5,2", "1 ,2" } do assert.equal("range", code_of(field, bad)) end
  end)

  it("refuses text that is no UTF-8 or holds control characters", function()
    local field = { type = "string", max_length = 3 }
    assert.equal("мос", parse_one(field, "мос"))
    assert.equal("too_long", code_of(field, "моск"))
    assert.equal("invalid_text", code_of(field, "a\0b"))
    assert.equal("invalid_text", code_of(field, "\255"))
    assert.equal("string", code_of(field, 5))
  end)

  it("names every wrong field at once, sorted", function()
    local _, problems = schema.parse(
      { b = { type = "integer" }, a = { type = "uuid" }, c = { type = "string", required = true } },
      { b = "x", a = "y" })
    local fields = {}
    for index, problem in ipairs(problems) do fields[index] = problem.field .. ":" .. problem.code end
    assert.same({ "a:uuid", "b:integer", "c:required" }, fields)
  end)

  it("takes a field by its aliases", function()
    local fields = { q = { type = "string", aliases = { "filter[name]", "name" } } }
    assert.equal("моск", schema.parse(fields, { name = "моск" }).q)
    assert.equal("каз", schema.parse(fields, { ["filter[name]"] = "каз", name = "x" }).q)
    assert.equal("уфа", schema.parse(fields, { q = "уфа", name = "x" }).q)
  end)

  it("says which member of a result breaks the promise", function()
    local fields = { id = { type = "string" }, note = { type = "string", nullable = true },
      list = { type = "list", items = { type = "object", fields = { n = { type = "integer" } } } } }
    assert.is_nil(schema.mismatch(fields, { id = "7", list = { { n = 1 } } }))
    assert.equal("result.id: missing", schema.mismatch(fields, { list = {} }))
    assert.equal("result.list[1].n: not integer", schema.mismatch(fields, { id = "7", list = { { n = 1.5 } } }))
  end)

  it("completes a result for JSON: null for what may be missing, [] for empty lists", function()
    local fields = { note = { type = "string", nullable = true }, tags = { type = "list", items = { type = "string" } } }
    assert.equal('{"note":null,"tags":[]}', host.json.encode(schema.complete(fields, { tags = {} }), { sorted = true }))
  end)
end)
