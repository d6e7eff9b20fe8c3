-- Against the run's own Postgres and Redis.
local sessions = require "services.sessions"
local jwt = require "services.jwt"

local SECRETS = sessions.secrets()
local last_id = 880000000 + math.random(1, 1e6) * 10

local function new_driver()
  last_id = last_id + 1
  return { id = ("%.0f"):format(last_id), first_name = "Иван", language_code = "ru" }
end

local function key(driver) return "driver:" .. driver.id .. ":session" end

-- What a node remembers for less than a second, forgotten at once.
local function forget(driver) host.shared.delete("session:" .. driver.id) end

local function code_of(token)
  local session, failure = sessions.check(token)
  return session and "ok" or failure.code
end

describe("services.sessions", function()
  local driver, session

  before_each(function()
    driver = new_driver()
    session = assert(sessions.begin(driver, { address = "127.0.0.1", agent = "spec" }))
  end)

  it("begins one and knows whose it is", function()
    local found = assert(sessions.check(session.token))
    assert.equal(driver.id, found.driver_id)
    assert.equal(session.sid, host.redis.command("GET", key(driver)))
    assert.is_nil(found.refreshed_token)
  end)

  it("ends the one before, and says so", function()
    local second = assert(sessions.begin(driver, {}))
    assert.equal("ok", code_of(second.token))
    assert.equal("session_replaced", code_of(session.token))
    forget(driver)
    assert.equal("session_replaced", code_of(session.token))
  end)

  it("ends by logout for good", function()
    assert(sessions.finish(driver.id, "logout"))
    assert.equal("unauthorized", code_of(session.token))
    assert.is_nil((host.redis.command("GET", key(driver))))
  end)

  it("puts a key back that Redis lost", function()
    host.redis.command("DEL", key(driver))
    forget(driver)
    assert.equal("ok", code_of(session.token))
    assert.equal(session.sid, host.redis.command("GET", key(driver)))
  end)

  it("asks Postgres before it believes another id in Redis", function()
    host.redis.command("SET", key(driver), host.crypto.uuid())
    forget(driver)
    assert.equal("ok", code_of(session.token))
    assert.equal(session.sid, host.redis.command("GET", key(driver)))
  end)

  it("gives a fresh token under four hours to the end", function()
    local now = math.floor(host.time.now())
    local old = jwt.sign({ sub = driver.id, sid = session.sid, iat = now - 72001, exp = now + 14399 }, SECRETS)
    local found = assert(sessions.check(old))
    assert.equal(86400, jwt.verify(found.refreshed_token, SECRETS, now).exp - now)
    local younger = jwt.sign({ sub = driver.id, sid = session.sid, iat = now - 72000, exp = now + 14460 }, SECRETS)
    assert.is_nil(assert(sessions.check(younger)).refreshed_token)
  end)

  it("keeps one live session whatever the concurrency", function()
    local starts = {}
    for n = 1, 8 do starts[n] = function() return sessions.begin(driver, {}) end end
    local results, live = host.task.all(starts), 0
    local row = host.pg.one("SELECT count(*) AS n FROM sessions WHERE driver_id = $1::bigint AND revoked_at IS NULL",
      driver.id)
    assert.equal(1, row.n)
    forget(driver)
    for _, result in ipairs(results) do
      if code_of(result[1].token) == "ok" then live = live + 1 end
    end
    assert.equal(1, live)
  end)

  it("is nobody's without a token of ours", function()
    for _, token in ipairs { "", "x", session.token .. "x" } do assert.equal("unauthorized", code_of(token)) end
    assert.equal("unauthorized", code_of(nil))
  end)
end)
