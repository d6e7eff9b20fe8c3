local replay_diff = require "kit.replay_diff"

-- «where|what|old|new|kind» of each change, in their order.
local function told(changes)
  local lines = {}
  for index, change in ipairs(changes) do
    lines[index] = table.concat({ change.where, change.what, change.old or "", change.new or "", change.kind or "" }, "|")
  end
  return lines
end

local function json(old, new, ignored)
  return told(replay_diff.json(host.json.decode(old), host.json.decode(new), ignored or {}))
end

local function markup(old, new, ignored)
  return told(replay_diff.markup(old, new, ignored or {}))
end

describe("what differs between two JSON answers", function()
  it("is nothing between equal ones, however they are written", function()
    assert.same({}, json('{"a":1,"b":[1,2,{"c":null}]}', '{ "b": [1, 2, {"c": null}], "a": 1.0 }'))
  end)

  it("is told per item of a list, by its id", function()
    local list = '{"cards":[{"id":"1","price":"5 ₽"},{"id":"2","price":"%s"}]}'
    assert.same({ "card 2|price|10 ₽|9 ₽|" }, json(list:format "10 ₽", list:format "9 ₽"))
    assert.same({ "city 7|name.ru|Тула|Тверь|" },
      json('{"cities":[{"id":7,"name":{"ru":"Тула"}}]}', '{"cities":[{"id":7,"name":{"ru":"Тверь"}}]}'))
  end)

  it("names items that came, went or moved", function()
    local list = '{"cards":[%s]}'
    assert.same({ "card 2||||gone" }, json(list:format '{"id":1},{"id":2},{"id":3}', list:format '{"id":1},{"id":3}'))
    assert.same({ "card 9||||new" }, json(list:format '{"id":1}', list:format '{"id":9},{"id":1}'))
    assert.same({ "|cards|||order" }, json(list:format '{"id":1},{"id":2}', list:format '{"id":2},{"id":1}'))
  end)

  it("compares lists without ids by place", function()
    assert.same({ "|tags[2]|b|c|", "|tags[3]||d|new" }, json('{"tags":["a","b"]}', '{"tags":["a","c","d"]}'))
    assert.same({ "|x[1].id|1|2|" }, json('{"x":[{"id":1},{"id":1}]}', '{"x":[{"id":2},{"id":1}]}'))
  end)

  it("says what appeared, what is gone and what became something else", function()
    assert.same({ "|a|1||gone", "|b||2|new", "|c|{\"x\":1}|text|" }, json('{"a":1,"c":{"x":1}}', '{"b":2,"c":"text"}'))
    assert.same({ "|a|null|0|" }, json('{"a":null}', '{"a":0}'))
    assert.same({ "|a|false|true|" }, json('{"a":false}', '{"a":true}'))
  end)

  it("leaves out members that mean nothing, at any depth", function()
    assert.same({}, json('{"at":1,"x":{"at":5}}', '{"at":2,"x":{"at":6}}', { at = true }))
  end)

  it("nests one item in another", function()
    assert.same({ "card 1, point 5|name|a|b|" },
      json('{"cards":[{"id":1,"points":[{"id":5,"name":"a"}]}]}', '{"cards":[{"id":1,"points":[{"id":5,"name":"b"}]}]}'))
  end)

  it("shows long values from their beginning", function()
    local change = replay_diff.json({ a = ("ж"):rep(1000) }, { a = 1 }, {})[1]
    assert.equal(("ж"):rep(160) .. "…", change.old)
  end)
end)

describe("what differs between two pages", function()
  local CARD = '<article id="cargo-card-%d"><p id="cargo-price-%d">%s&nbsp;₽</p><p>%s</p></article>'

  local function page(...)
    local parts = {}
    for _, card in ipairs { ... } do parts[#parts + 1] = CARD:format(card[1], card[1], card[2], card[3]) end
    return "<main>\n" .. table.concat(parts, "\n") .. "</main>"
  end

  it("is told by the element's id", function()
    local first = { 1, "5", "тент" }
    assert.same({ "cargo 2|price|10 ₽|9 ₽|" }, markup(page(first, { 2, "10", "реф" }), page(first, { 2, "9", "реф" })))
  end)

  it("is nothing when only spaces between things differ", function()
    assert.same({}, markup("<p>a  b</p>\n<p>c</p>", "<p> a\nb </p><p>c</p>"))
  end)

  it("finds an element that was put in, and leaves the others alone", function()
    local changes = markup("<ul><li>a</li><li>c</li></ul>", "<ul><li>a</li><li>b</li><li>c</li></ul>")
    table.sort(changes)
    assert.same({ "|||<li>|new", "|||b|new" }, changes)
  end)

  it("finds the one text that changed in each of many elements", function()
    local old, new, expected = {}, {}, {}
    for id = 1, 300 do
      old[id], new[id], expected[id] = { id, "1", "тент" }, { id, "2", "тент" }, ("cargo %d|price|1 ₽|2 ₽|"):format(id)
    end
    assert.same(expected, markup(page(unpack(old)), page(unpack(new))))
  end)

  it("sees attributes", function()
    assert.same({ '||<a href="/x">|<a href="/y">|' }, markup('<a href="/x">go</a>', '<a href="/y">go</a>'))
  end)

  it("leaves out what a pattern names", function()
    assert.same({}, markup("<p>updated 12:30</p>", "<p>updated 12:31</p>", { "^updated %d" }))
  end)

  it("compares very different pages of any size in little time", function()
    local old, new = {}, {}
    for index = 1, 3000 do old[index], new[index] = "<p>" .. index .. "</p>", "<b>x" .. index .. "</b>" end
    assert.is_true(#markup(table.concat(old), table.concat(new)) > 3000)
  end)
end)
