-- Against the run's own Postgres: what the database itself refuses.
local responses = require "services.responses"

local last_id = 870000000 + math.random(1, 1e6) * 10

local function new_driver()
  last_id = last_id + 1
  local id = ("%.0f"):format(last_id)
  assert(host.pg.query("INSERT INTO drivers (id, first_name) VALUES ($1::bigint, 'Иван')", id))
  return id
end

local function answer(driver_id, changes)
  local request = { driver_id = driver_id, cargo = { id = "481516", title = "Москва → Казань" } }
  for name, value in pairs(changes or {}) do request[name] = value end
  return assert(responses.create(request, {}))
end

local function set(row, status)
  return host.pg.query("UPDATE responses SET status = $2, failure = CASE WHEN $2 = 'failed' THEN 'x' END WHERE id = $1::uuid",
    row.id, status)
end

describe("services.responses", function()
  local driver
  before_each(function() driver = new_driver() end)

  it("makes one row and one message for a driver and cargo", function()
    local first, second = answer(driver), answer(driver)
    assert.is_true(first.is_new)
    assert.is_nil(second.is_new)
    assert.equal(first.id, second.id)
    assert.equal(1, host.pg.one("SELECT count(*) AS n FROM outbox WHERE response_id = $1::uuid", first.id).n)
  end)

  it("remembers name and phone for the next one", function()
    answer(driver, { phone = "+79998887766", name = "Пётр" })
    local next_one = answer(driver, { cargo = { id = "481517" } })
    assert.equal("+79998887766", next_one.phone)
    assert.equal("Пётр", next_one.name)
    assert.same({ phone = "+79998887766", name = "Пётр", is_known = true }, responses.contact_of(driver))
  end)

  it("carries the first name when no other is known", function()
    assert.equal("Иван", answer(driver).name)
  end)

  it("refuses moves that are not legal, whoever asks", function()
    local legal = { queued = "sent failed", sent = "accepted rejected", accepted = "completed", rejected = "",
      completed = "", failed = "queued sent" }
    local way = { queued = {}, sent = { "sent" }, accepted = { "sent", "accepted" }, rejected = { "sent", "rejected" },
      completed = { "sent", "accepted", "completed" }, failed = { "failed" } }
    for from, allowed in pairs(legal) do
      for to in pairs(legal) do
        if to ~= from then
          local row = answer(new_driver())
          for _, step in ipairs(way[from]) do assert(set(row, step)) end
          local done, problem = set(row, to)
          local is_legal = (" " .. allowed .. " "):find(" " .. to .. " ", 1, true) ~= nil
          assert.equal(is_legal, done ~= nil, from .. " → " .. to)
          if not is_legal then assert.equal("responses_move", problem.constraint) end
        end
      end
    end
  end)

  it("pages through all of them, newest first, also those of one moment", function()
    for n = 1, 5 do answer(driver, { cargo = { id = tostring(n) } }) end
    host.pg.query("UPDATE responses SET created_at = date_trunc('second', now()) WHERE driver_id = $1::bigint", driver)
    local seen, before = {}, nil
    repeat
      local rows = assert(responses.page { driver_id = driver, filter = "all", limit = 2, before = before })
      for _, row in ipairs(rows) do seen[row.cargo_id] = true end
      local last = rows[#rows]
      before = last and { created_at = last.created_text, id = last.id }
    until not last
    local count = 0
    for _ in pairs(seen) do count = count + 1 end
    assert.equal(5, count)
  end)

  it("does not write to a driver who cannot be reached", function()
    host.pg.query("UPDATE drivers SET unreachable_at = now() WHERE id = $1::bigint", driver)
    assert(responses.notify { driver_id = driver, cargo_id = "1", status = "sent" })
    assert.equal(0, host.pg.one("SELECT count(*) AS n FROM outbox WHERE chat_key = $1", driver).n)
  end)
end)
