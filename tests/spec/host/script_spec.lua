describe("host.script", function()
  local script = host.script

  it("reads files of the bundle and lists folders, sorted", function()
    assert.truthy(script.read("lua/routes.lua"):find("return", 1, true))
    assert.is_nil(script.read("lua/no/such.lua"))
    local paths = script.list("lua/rules")
    assert.is_true(#paths >= 5)
    for i = 2, #paths do assert.is_true(paths[i - 1] < paths[i]) end
    for _, path in ipairs(paths) do assert.equal("lua/rules/", path:sub(1, 10)) end
  end)

  describe("compile", function()
    it("gives a function that sees nothing but its environment", function()
      local chunk = script.compile("return greeting, rawget", "rule.lua", { greeting = "hi" })
      local greeting, leaked = chunk()
      assert.equal("hi", greeting)
      assert.is_nil(leaked)
    end)

    it("names file and line of a mistake", function()
      local chunk, problem = script.compile("local x = 1\nlocal = 2", "lua/rules/tariffs.lua", {})
      assert.is_nil(chunk)
      assert.truthy(problem:find("lua/rules/tariffs.lua:2:", 1, true))
    end)

    it("refuses compiled Lua", function()
      local chunk, problem = script.compile(string.dump(function() end), "evil.lua", {})
      assert.is_nil(chunk)
      assert.truthy(problem:find("only source text", 1, true))
    end)
  end)

  describe("guard", function()
    it("gives what the function returned, nils included", function()
      local a, b, c = script.guard("rule", {}, function(x, y) return x + y, nil, "c" end, 1, 2)
      assert.equal(3, a)
      assert.is_nil(b)
      assert.equal("c", c)
    end)

    it("turns a raise into a failure with the stack of the function", function()
      local value, failure = script.guard("rule", {}, function()
        local function inner() error("no such tariff") end
        inner()
      end)
      assert.is_nil(value)
      assert.equal("script_error", failure.code)
      assert.truthy(failure.text:find("no such tariff", 1, true))
      assert.truthy(failure.stack:find("inner", 1, true))
    end)

    it("lets a rule neither wait nor look outside", function()
      local _, failure = script.guard("rule", {}, function() host.task.sleep(1) end)
      assert.truthy(failure.text:find("computes and returns", 1, true))
      host.task.sleep(1) -- waiting is allowed again afterwards
    end)

    it("lets a rule that ran another one still not wait", function()
      local _, failure = script.guard("outer", {}, function()
        script.guard("inner", {}, function() end)
        host.task.sleep(1)
      end)
      assert.truthy(failure.text:find("computes and returns", 1, true))
      host.task.sleep(1)
    end)

    it("turns a yield of the rule into a failure", function()
      for _, values in ipairs({ {}, { "a", "b" } }) do
        local value, failure = script.guard("rule", {}, function() coroutine.yield(unpack(values)) end)
        assert.is_nil(value)
        assert.equal("script_error", failure.code)
        assert.truthy(failure.text:find("coroutine.yield", 1, true))
      end
    end)
  end)

  it("tells what is running", function()
    local info = script.info()
    assert.equal("test", info.role)
    assert.equal(64, #info.hash)
  end)
end)
