-- Against the run's own Redis and the simulated CargoTech.
local cargo_api = require "services.cargo_api"
local cargo_token = require "services.cargo_token"
local cargotech = require "support.cargotech"

local ME, LOGIN = "GET /v1/me", "POST /v1/auth/login"

local function misbehave(rule)
  rule.match = { path = "/v1/me" }
  cargotech.tell("misbehave", rule)
end

local function code_of(call)
  local body, failure = cargo_api.get(call or { path = "/v1/me" })
  return body and "ok" or failure.code
end

describe("services.cargo_api", function()
  before_each(cargotech.reset)
  after_each(cargotech.reset)

  it("speaks with the account's token", function()
    local body, failure, text = cargo_api.me()
    assert.is_nil(failure)
    assert.equal(4711, body.data.id)
    assert.truthy(text:find("4711", 1, true))
  end)

  it("logs in anew when the token has died, once", function()
    cargo_api.me()
    cargotech.tell "revoke_tokens"
    assert.equal("ok", code_of())
    assert.equal(3, cargotech.count(ME))
    assert.equal(2, cargotech.count(LOGIN))
  end)

  it("pauses logins when even a new token is refused", function()
    misbehave { action = "status", status = 401, times = 0 }
    assert.equal("upstream_auth_failed", code_of())
    assert.equal(2, cargotech.count(ME))
    assert.is_true(select(2, cargo_token.get()).paused)
  end)

  it("counts many refusals of one token as one", function()
    misbehave { action = "status", status = 401, times = 0 }
    local asks = {}
    for n = 1, 6 do asks[n] = code_of end
    for _, result in ipairs(host.task.all(asks)) do assert.equal("upstream_auth_failed", result[1]) end
    assert.is_true(tonumber(host.redis.command("GET", "cargotech:login:refusals")) <= 2)
  end)

  it("retries within the deadline it has, not beyond", function()
    misbehave { action = "status", status = 503, times = 0 }
    local started = host.time.monotonic_ms()
    local result = host.task.with_deadline(1000, code_of)
    assert.equal("upstream_unavailable", result)
    assert.is_true(host.time.monotonic_ms() - started < 1000)
    assert.equal(2, cargotech.count(ME))
  end)

  it("tries once in the background", function()
    misbehave { action = "status", status = 503 }
    assert.equal("upstream_unavailable", code_of { path = "/v1/me", background = true })
    assert.equal(1, cargotech.count(ME))
  end)

  it("waits for the limit when a driver asks, gives up when nobody does", function()
    cargo_api.me()
    local t = host.redis.command "TIME"
    host.redis.command("HSET", "cargotech:limiter", "tokens", "0.5", "at", t[1] .. "." .. ("%06d"):format(t[2]))
    assert.equal("upstream_unavailable", code_of { path = "/v1/me", background = true })
    assert.equal(1, cargotech.count(ME))
    assert.equal("ok", code_of())
  end)

  it("asks nobody before the time CargoTech named", function()
    misbehave { action = "status", status = 429, headers = { ["retry-after"] = "90" } }
    assert.equal("upstream_unavailable", code_of())
    assert.equal("upstream_unavailable", code_of())
    assert.equal(1, cargotech.count(ME))
  end)

  it("waits for the reset of the limit only when it is over the limit", function()
    misbehave { action = "status", status = 503, headers = { ["x-ratelimit-remaining"] = "500", ["x-ratelimit-reset-after"] = "42" } }
    assert.equal("ok", code_of())
    misbehave { action = "status", status = 429, headers = { ["x-ratelimit-reset-after"] = "42" } }
    assert.equal("upstream_unavailable", code_of())
    assert.equal(3, cargotech.count(ME))
  end)

  it("does not count refusals of ours as failures of theirs", function()
    for _ = 1, 7 do
      assert.equal("not_found", code_of { path = "/v1/carrier/cargos/1", query = { include = "contacts", source = 1 } })
    end
    assert.equal("ok", code_of())
  end)

  it("asks nothing while the breaker is open, and lets another probe when the first came to nothing", function()
    misbehave { action = "status", status = 500, times = 5 }
    for _ = 1, 5 do assert.equal("upstream_unavailable", code_of()) end
    assert.equal("upstream_unavailable", code_of())
    assert.equal(5, cargotech.count(ME))
    host.shared.set("breaker:cargotech:open_until", host.time.monotonic_ms() - 1)
    host.redis.command("HSET", "cargotech:limiter", "tokens", "0", "at", host.redis.command("TIME")[1])
    assert.equal("upstream_unavailable", code_of { path = "/v1/me", background = true })
    assert.equal("ok", code_of())
  end)

  it("tells data from what is none", function()
    local text, failure = cargo_api.fetch { path = "/v1/dictionaries/load_types" }
    assert.is_nil(failure)
    assert.truthy(text:find('"data"', 1, true))
    cargotech.tell("misbehave", { match = { path = "/v1/dictionaries/*" }, action = "status", status = 200, body = { rows = 1 } })
    assert.equal("upstream_unavailable", select(2, cargo_api.fetch { path = "/v1/dictionaries/load_types" }).code)
    assert.equal("not_found", select(2, cargo_api.fetch { path = "/nowhere", may_be_gone = true }).code)
    assert.equal("upstream_unavailable", select(2, cargo_api.fetch { path = "/nowhere" }).code)
  end)
end)
