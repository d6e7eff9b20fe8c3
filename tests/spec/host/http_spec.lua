describe("host.http", function()
  local http = host.http

  describe("request", function()
    local peer, ports, base

    local function read_port()
      local file = io.open(ports)
      local line = file and file:read "*l"
      if file then file:close() end
      return line
    end

    setup(function()
      ports = os.tmpname()
      peer = io.popen("node tests/spec/support/http_peer.js > " .. ports, "w")
      while not read_port() do
        host.task.sleep(10)
      end
      base = "http://127.0.0.1:" .. read_port()
    end)

    teardown(function()
      peer:close()
      os.remove(ports)
    end)

    it("sends what it was given and brings the answer", function()
      local answer = assert(http.request {
        url = base .. "/echo?a=1",
        method = "POST",
        headers = { ["X-Test"] = "yes" },
        body = "the body",
      })
      assert.equal(200, answer.status)
      assert.equal("POST /echo?a=1 yes the body", answer.body)
      assert.is_true(answer.took_ms > 0)
    end)

    it("joins repeated headers and lowers their names", function()
      local answer = assert(http.request { url = base .. "/headers" })
      assert.equal(418, answer.status)
      assert.equal("one, two", answer.headers["x-twice"])
    end)

    it("hands over pieces as they come", function()
      local pieces = {}
      local answer = assert(http.request {
        url = base .. "/pieces",
        on_piece = function(piece) pieces[#pieces + 1] = piece end,
      })
      assert.equal("", answer.body)
      assert.equal("onetwothree", table.concat(pieces))
    end)

    it("stops at the piece that returns false", function()
      local count = 0
      local answer = assert(http.request {
        url = base .. "/pieces",
        on_piece = function()
          count = count + 1
          return false
        end,
      })
      assert.equal(200, answer.status)
      assert.equal(1, count)
    end)

    local function failure_of(request)
      local answer, failure = http.request(request)
      assert.is_nil(answer)
      assert.equal("http", failure.service)
      return failure
    end

    it("fails when on_piece raises or waits", function()
      local failure = failure_of { url = base .. "/pieces", on_piece = function() error("broken") end }
      assert.equal("script_error", failure.code)
      assert.matches("broken", failure.text)
      failure = failure_of { url = base .. "/pieces", on_piece = function() host.task.sleep(1) end }
      assert.equal("script_error", failure.code)
      assert.matches("must not wait", failure.text)
    end)

    it("says in a code and a sentence what went wrong", function()
      local failure = failure_of { url = base .. "/never?token=secret", timeout_ms = 50 }
      assert.equal("timeout", failure.code)
      assert.matches("waiting for the answer", failure.text)
      assert.is_nil(tostring(failure):find("secret", 1, true))
      assert.equal("connect_failed", failure_of({ url = "http://127.0.0.1:1/" }).code)
      assert.equal("too_big", failure_of({ url = base .. "/echo", max_body_bytes = 3 }).code)
      assert.equal("invalid_url", failure_of({ url = "ftp://127.0.0.1/" }).code)
      assert.equal("invalid_request", failure_of({ url = base .. "/echo", headers = { ["X-Test"] = "a\r\nHost: b" } }).code)
    end)

    it("gives up with the task's deadline, and tells the server", function()
      local handle = host.task.spawn_with({ deadline_ms = 60 }, function()
        http.request { url = base .. "/never", timeout_ms = 60000 }
      end)
      local _, failure = handle:join()
      assert.equal("timeout", failure.code)
      local open
      repeat
        open = http.request({ url = base .. "/open" }).body
      until open == "1"
    end)

    it("refuses wrong arguments", function()
      assert.error(function() http.request {} end)
      assert.error(function() http.request { url = base, timeout_ms = "soon" } end)
      assert.error(function() http.request { url = base, headers = { "X-Test: 1" } } end)
      assert.error(function() http.request { url = base, headers = { ["X-Test"] = 1 } } end)
      assert.error(function() http.request { url = base, on_piece = true } end)
    end)
  end)

  it("percent-encodes everything that is not unreserved", function()
    assert.equal("a-b_c.d~e%20%2B%26%D1%8F%00", http.escape("a-b_c.d~e +&я\0"))
    assert.equal("a b+я\0", http.unescape("a+b%2B%d1%8F%00"))
    assert.is_nil(http.unescape("100%"))
    assert.is_nil(http.unescape("%4"))
    assert.is_nil(http.unescape("%zz"))
  end)

  it("reads a query in order, with repeats and empty values", function()
    assert.same({ { "a", "1" }, { "b", "" }, { "a", "x y" }, { "", "z" }, { "c", "=" } },
      http.parse_query("a=1&b&&a=x+y&=z&c=%3D"))
    assert.same({}, http.parse_query(""))
    local pairs, failure = http.parse_query("a=%")
    assert.is_nil(pairs)
    assert.equal("invalid", failure.code)
  end)

  it("writes a query from pairs in their order, or from a map by key", function()
    assert.equal("b=2&a=%D1%8F&b=true", http.encode_query { { "b", 2 }, { "a", "я" }, { "b", true } })
    assert.equal("a=1&b%5Bx%5D=c%20d&c=9007199254740991",
      http.encode_query { c = 9007199254740991, ["b[x]"] = "c d", a = 1 })
    assert.equal("x=1.5", http.encode_query { x = 1.5 })
    assert.equal("", http.encode_query {})
    assert.error(function() http.encode_query { a = {} } end)
    assert.error(function() http.encode_query { { "a" } } end)
  end)

  it("finds an address inside blocks", function()
    assert.is_true(http.address_in("185.71.76.5", "185.71.76.0/27, 2a02:5180::/32"))
    assert.is_true(http.address_in("::ffff:185.71.76.5", "185.71.76.0/27"))
    assert.is_true(http.address_in("2a02:5180::1", "185.71.76.0/27,2a02:5180::/32"))
    assert.is_false(http.address_in("185.71.76.32", "185.71.76.0/27"))
    assert.is_false(http.address_in("not an address", "0.0.0.0/0"))
    assert.error(function() http.address_in("1.2.3.4", "1.2.3.4/99") end)
  end)
end)
