describe("host.json", function()
  local json = host.json

  describe("encode", function()
    it("writes integers exactly up to 2^53", function()
      assert.equal("9007199254740992", json.encode(2 ^ 53))
      assert.equal("-4503599627370495", json.encode(-(2 ^ 52 - 1)))
      assert.equal("0", json.encode(-0))
    end)

    it("writes the shortest text that reads back as the same number", function()
      assert.equal("82.45", json.encode(82.45))
      assert.equal("0.1", json.encode(0.1))
      assert.equal("0.30000000000000004", json.encode(0.1 + 0.2))
    end)

    it("tells an empty list from an empty object", function()
      assert.equal("[]", json.encode(json.array()))
      assert.equal("[]", json.encode(json.array({})))
      assert.equal("{}", json.encode({}))
    end)

    it("escapes what JSON demands and leaves Russian readable", function()
      assert.equal([["Москва \"<b>\" \\ \n \u0001"]], json.encode("Москва \"<b>\" \\ \n \1"))
    end)

    it("replaces bytes that are not UTF-8", function()
      assert.equal('"a\239\191\189b"', json.encode("a\255b"))
      assert.equal('"\239\191\189\239\191\189"', json.encode("\192\128")) -- an overlong NUL
    end)

    it("sorts keys on request, for hashes", function()
      assert.equal('{"a":1,"b":{"x":2,"y":3}}', json.encode({ b = { y = 3, x = 2 }, a = 1 }, { sorted = true }))
    end)

    it("writes null where Lua cannot", function()
      assert.equal("[1,null,3]", json.encode({ 1, json.null, 3 }))
    end)

    for name, value in pairs({
      ["a number that is not one"] = 0 / 0, ["infinity"] = 1 / 0, ["a function"] = print,
      ["a table with holes"] = { 1, nil, 3 }, ["a list with names"] = { 1, x = 2 },
      ["a key that is no string"] = { [true] = 1 },
    }) do
      it("refuses " .. name, function()
        assert.has_error(function() json.encode({ value = value }) end)
      end)
    end

    it("refuses a table that contains itself", function()
      local loop = {}
      loop.loop = loop
      assert.has_error(function() json.encode(loop) end)
    end)
  end)

  describe("decode", function()
    it("reads what encode wrote", function()
      local value = { name = "Пётр", list = { 1, 2.5, true }, deep = { a = { b = "c" } } }
      assert.same(value, (json.decode(json.encode(value))))
    end)

    it("gives null as json.null", function()
      assert.equal(json.null, json.decode("[null]")[1])
    end)

    it("reads false and null at the top without calling it a failure", function()
      local value, failure = json.decode("false")
      assert.is_false(value)
      assert.is_nil(failure)
    end)

    for name, text in pairs({
      ["a cut document"] = '{"a":', ["two documents"] = "{} {}", ["a bare word"] = "nope", ["nothing"] = "",
      ["bytes that are not UTF-8"] = '"\255"', ["NaN"] = "[NaN]", ["hexadecimal"] = "[0x10]",
      ["a single quote"] = "{'a':1}",
    }) do
      it("refuses " .. name, function()
        local value, failure = json.decode(text)
        assert.is_nil(value)
        assert.equal("invalid_json", failure.code)
      end)
    end

    it("refuses nesting beyond the limit, and brackets in strings do not count", function()
      local _, failure = json.decode(("["):rep(65) .. ("]"):rep(65))
      assert.equal("invalid_json", failure.code)
      assert.truthy(json.decode('["' .. ("["):rep(200) .. '"]'))
      assert.truthy(json.decode(("["):rep(64) .. ("]"):rep(64)))
    end)

    it("refuses a text over its size limit before reading it", function()
      local _, failure = json.decode('"' .. ("x"):rep(100) .. '"', { max_bytes = 50 })
      assert.equal("too_big", failure.code)
    end)
  end)
end)
