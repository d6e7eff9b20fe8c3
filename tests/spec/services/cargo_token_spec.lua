-- Against the run's own Redis and the simulated CargoTech.
local cargo_token = require "services.cargo_token"
local cargotech = require "support.cargotech"

local LOGIN = "POST /v1/auth/login"

describe("services.cargo_token", function()
  before_each(cargotech.reset)
  after_each(cargotech.reset)

  it("logs in when there is no token, once for all who ask", function()
    local asks = {}
    for n = 1, 8 do asks[n] = cargo_token.get end
    local results = host.task.all(asks)
    for _, result in ipairs(results) do assert.equal(results[1][1], result[1]) end
    assert.truthy(results[1][1]:find "^%d+|")
    assert.equal(1, cargotech.count(LOGIN))
    assert.is_true(cargo_token.age_s() <= 2)
  end)

  it("keeps the token for its time", function()
    cargo_token.get()
    local left = host.redis.command("TTL", "cargotech:api:token")
    assert.is_true(left > host.config.cargotech.token_cache_ttl_s - 10)
  end)

  it("waits for a login that another node has begun", function()
    host.redis.command("SET", "lock:cargotech:login", "another node", "PX", 5000)
    local asking = host.task.spawn(cargo_token.get)
    host.task.sleep(50)
    host.redis.command("SET", "cargotech:api:token", "77|theirs", "EX", 60)
    assert.equal("77|theirs", asking:join())
    assert.equal(0, cargotech.count(LOGIN))
  end)

  it("drops a refused token only while it is the cached one", function()
    local token = cargo_token.get()
    assert.is_false(cargo_token.drop "12|older")
    assert.equal(token, cargo_token.cached())
    assert.is_true(cargo_token.drop(token))
    assert.is_nil(cargo_token.cached())
  end)

  it("pauses after a refusal, longer each time, and asks nobody meanwhile", function()
    cargotech.tell("account", { password = "another" })
    for refusal = 1, 3 do
      host.redis.command("DEL", "cargotech:login:pause")
      host.shared.delete "cargotech:login:pause"
      local token, failure = cargo_token.get()
      assert.is_nil(token)
      assert.equal("upstream_auth_failed", failure.code)
      local pause_ms = host.redis.command("PTTL", "cargotech:login:pause")
      assert.is_true(pause_ms > 2 ^ (refusal - 1) * 1000 - 500 and pause_ms <= 2 ^ (refusal - 1) * 1000)
      assert.is_true(select(2, cargo_token.get()).paused)
    end
    assert.equal(3, cargotech.count(LOGIN))
  end)

  it("never pauses longer than a quarter of an hour", function()
    host.redis.command("SET", "cargotech:login:refusals", 40)
    cargotech.tell("account", { password = "another" })
    cargo_token.get()
    local pause_s = host.redis.command("TTL", "cargotech:login:pause")
    assert.is_true(pause_s > 890 and pause_s <= 900)
  end)

  it("forgets refusals once a call has passed", function()
    cargo_token.refused_after_login()
    assert.equal("1", host.redis.command("GET", "cargotech:login:refusals"))
    cargo_token.accepted()
    assert.is_nil((host.redis.command("GET", "cargotech:login:refusals")))
    assert.is_nil((host.redis.command("GET", "cargotech:login:pause")))
  end)

  it("does not take an outage for a refusal", function()
    cargotech.tell("misbehave", { match = { path = "/v1/auth/login" }, action = "status", status = 503 })
    assert.equal("upstream_unavailable", select(2, cargo_token.get()).code)
    assert.truthy(cargo_token.get())
  end)

  it("takes nothing for a token that is none", function()
    for _, body in ipairs { { data = {} }, { data = { token = "a b" } }, { data = { token = 5 } }, { token = "1|x" } } do
      cargotech.tell("misbehave", { match = { path = "/v1/auth/login" }, action = "status", status = 200, body = body })
      assert.equal("upstream_unavailable", select(2, cargo_token.get()).code)
      host.shared.delete "breaker:cargotech:failures"
    end
  end)
end)
