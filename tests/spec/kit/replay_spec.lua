local replay = require "kit.replay"

local IGNORE = { members = { at = true }, markup = {} }

local function recorded(path, more)
  local request = { method = "GET", route = path, path = path, query = "", headers = {}, at_ms = 1, status = 200, times = 1 }
  for name, value in pairs(more or {}) do request[name] = value end
  return request
end

local function answer(body, more)
  local made = { status = 200, type = "application/json; charset=utf-8", location = "", body = body, route = true }
  for name, value in pairs(more or {}) do made[name] = value end
  if more and more.error then made.status = nil end
  return made
end

-- answers: path → {before, after}; each an answer, or a function that makes one. Counts what was asked in `asked`.
local function tools(answers, errors)
  local asked = {}
  return {
    asked = asked,
    answer = function(side, encoded)
      local path = host.json.decode(encoded).path
      asked[#asked + 1] = side .. " " .. path
      local made = answers[path][side == "before" and 1 or 2]
      return type(made) == "function" and made() or made
    end,
    errors = function(side) return errors and errors[side] or {} end,
  }
end

local function run(requests, answers, more)
  more = more or {}
  local made = tools(answers, more.errors)
  return replay.run({ asked = more.asked or {}, recorded = more.lists or { requests } }, made, IGNORE), made.asked
end

describe("a replay", function()
  it("tells the changes of each answer, each once", function()
    local requests = { recorded("/a", { driver = "7" }), recorded("/b", { query = "x=1", at_ms = 0 }), recorded("/same", { at_ms = 0 }) }
    local report = run(requests, {
      ["/a"] = { answer '{"cards":[{"id":1,"price":"5"}]}', answer '{"cards":[{"id":1,"price":"6"}]}' },
      ["/b"] = { answer '{"cards":[{"id":1,"price":"5"}]}', answer '{"cards":[{"id":1,"price":"6"}]}' },
      ["/same"] = { answer '{"at":1}', answer '{"at":2}' },
    })
    assert.is_true(report.ok)
    assert.same({ "GET /a driver 7: card 1: price «5» → «6» (and in 1 more)", "2 of 3 answers differ: 1 card" }, report.lines)
    assert.same({ "GET /a driver 7", "GET /b?x=1" }, report.changes[1].answers)
  end)

  it("runs nothing that writes, and nothing whose secret was not kept", function()
    local report, asked = run({ recorded("/pay", { method = "POST" }), recorded("/key", { hidden = true }) }, {})
    assert.same({}, asked)
    assert.same({ "no answer was compared",
      "not replayed: 1 hold a secret that was not kept (GET /key); 1 would write (POST /pay)" }, report.lines)
  end)

  it("leaves out what changes by itself", function()
    local count = 0
    local function ticking()
      count = count + 1
      return answer(('{"n":%d,"price":"5"}'):format(count))
    end
    local report = run({ recorded "/a" }, { ["/a"] = { ticking, answer '{"n":9,"price":"6"}' } })
    assert.same({ "GET /a: price «5» → «6»", "1 of 1 answer differs" }, report.lines)
  end)

  it("calls it a failure when only the new sources raise or break", function()
    local report = run({ recorded "/a", recorded("/b", { at_ms = 0 }) }, {
      ["/a"] = { answer "{}", answer("", { error = "lua/x.lua:3: boom" }) },
      ["/b"] = { answer "{}", answer("{}", { status = 500 }) },
    })
    assert.is_false(report.ok)
    assert.same({ { request = "GET /a", text = "lua/x.lua:3: boom" }, { request = "GET /b", text = "answers 500" } }, report.failures)
    assert.same({ "FAILED GET /a: lua/x.lua:3: boom", "FAILED GET /b: answers 500",
      "2 answers compared, 2 failed, none differs" }, report.lines)
  end)

  it("calls it a failure when only the new sources log an error", function()
    local quiet, loud = { text = "old trouble", count = 3 }, { text = "rule failed: lua/rules/card.lua:12: boom", count = 2 }
    local report = run({ recorded "/a" }, { ["/a"] = { answer "{}", answer "{}" } },
      { errors = { before = { quiet }, after = { quiet, loud } } })
    assert.is_false(report.ok)
    assert.equal("ERROR logged 2 times: rule failed: lua/rules/card.lua:12: boom", report.lines[1])
    assert.equal(2, #report.lines)
  end)

  it("does not compare answers that needed the world outside", function()
    local lost = answer("{}", { status = 502, needs = "calling http://x" })
    local report = run({ recorded "/a" }, { ["/a"] = { lost, lost } })
    assert.is_true(report.ok)
    assert.same({ "no answer was compared", "not comparable: 1 that need calling http://x (GET /a)" }, report.lines)
    report = run({ recorded "/a" }, { ["/a"] = { answer("{}", { needs = "calling http://x" }), answer '{"a":1}' } })
    assert.equal("GET /a: a new «1»", report.lines[1], "an answer that did without is compared")
  end)

  it("shows another status, type or address", function()
    local page = answer("<p>x</p>", { status = 303, type = "text/html", location = "/b" })
    local report = run({ recorded "/a" }, { ["/a"] = { answer "{}", page } })
    assert.same({ "GET /a: status «200» → «303»", "GET /a: content type «application/json» → «text/html»",
      "GET /a: location «» → «/b»", "1 of 1 answer differs" }, report.lines)
  end)

  it("takes the newest of all workers, by route and driver when asked", function()
    local lists = {
      { recorded("/a", { at_ms = 3, driver = "7" }), recorded("/b", { at_ms = 1 }) },
      { recorded("/a", { at_ms = 9, driver = "7" }), recorded("/c", { at_ms = 2, driver = "8" }) },
    }
    local same = { answer "{}", answer "{}" }
    local answers = { ["/a"] = same, ["/b"] = same, ["/c"] = same }
    local function asked_for(asked)
      return (select(2, run(nil, answers, { lists = lists, asked = asked })))
    end
    assert.same({ "before /a", "after /a", "before /c", "after /c", "before /b", "after /b" }, asked_for {})
    assert.same({ "before /a", "after /a" }, asked_for { last = 1 })
    assert.same({ "before /c", "after /c" }, asked_for { driver = "8" })
    assert.same({ "before /b", "after /b" }, asked_for { route = "GET /b" })
  end)

  it("stays small however much differs", function()
    local old, new = {}, {}
    for id = 1, 1200 do old[id], new[id] = { id = id, price = 1 }, { id = id, price = 2 } end
    local requests, answers = {}, {}
    for index = 1, 15 do
      requests[index] = recorded("/" .. index)
      answers["/" .. index] = { answer(host.json.encode { cards = old }), answer(host.json.encode { cards = new }) }
    end
    local report = run(requests, answers)
    assert.equal(1000, #report.changes)
    assert.equal(10, #report.changes[1].answers)
    assert.equal(15, report.changes[1].count)
    assert.same({ card = 1200 }, report.items)
    assert.equal("… and more than that: take a part with --route, --driver or --last", report.lines[52])
    assert.equal("15 of 15 answers differ: 1200 cards", report.lines[53])
  end)

  it("prints as many changes as wanted and says that there are more", function()
    local old, new = {}, {}
    for id = 1, 9 do old[id], new[id] = { id = id, price = 1 }, { id = id, price = 2 } end
    local function lines(limit)
      return run({ recorded "/a" }, { ["/a"] = { answer(host.json.encode { cards = old }), answer(host.json.encode { cards = new }) } },
        { asked = { limit = limit } }).lines
    end
    assert.equal(4, #lines(2))
    assert.equal("… and 7 changes more (--limit 0 shows all)", lines(2)[3])
    assert.equal(10, #lines(0))
  end)
end)
