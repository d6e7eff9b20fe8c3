local world = require "tool.world"

local SECRET, URL = "a-secret-of-sixteen-bytes", "https://crm.example/hook"

describe("webhook_out", function()
  local function load(config)
    local all = { url = URL, secret = SECRET, events = { "payment.succeeded" } }
    for key, value in pairs(config or {}) do all[key] = value end
    return world.plugin("webhook_out", all)
  end

  it("queues the events it was asked for, and no others", function()
    local plugin = load()
    plugin:event("payment.succeeded", { driver_id = "1" })
    plugin:event("promo.applied", { driver_id = "1" })
    assert.equal(1, #world.outbox)
    assert.equal("payment.succeeded", world.outbox[1].data.event)
    assert.same({ driver_id = "1" }, world.outbox[1].data.payload)
  end)

  it("signs what it sends", function()
    local plugin = load()
    plugin:event("payment.succeeded", { driver_id = "1" })
    world.http:reply("POST", URL, { status = 204 })
    assert.is_true(plugin:deliver(world.outbox[1]))
    local asked = world.http.asked[1]
    assert.equal(("%d"):format(host.time.now()), asked.headers["X-Fura-Timestamp"])
    local mac = host.crypto.hmac_sha256(SECRET, asked.headers["X-Fura-Timestamp"] .. "." .. asked.body)
    assert.equal("v1=" .. host.crypto.hex(mac), asked.headers["X-Fura-Signature"])
  end)

  it("wants to try again after silence and refusals, but not when nobody wants it", function()
    local plugin = load()
    world.http:reply("POST", URL, { error = "timeout", times = 1 })
    local done, problem = plugin:deliver { id = "1", event = "x" }
    assert.is_nil(done)
    assert.equal("timeout", problem.code)
    for _, case in ipairs { { 500, false }, { 404, false }, { 410, true } } do
      world.http:reply("POST", URL, { status = case[1], times = 1 })
      done, problem = plugin:deliver { id = "1", event = "x" }
      assert.is_nil(done)
      assert.equal(case[2], problem.permanent)
    end
  end)

  it("says at once which event does not exist, and that a secret is too short", function()
    local ok, problem = pcall(load, { events = { "payment.suceeded" }, secret = "short" })
    assert.is_false(ok)
    assert.matches("names an unknown event", problem)
    assert.matches("is too small", problem)
    assert.is_nil(problem:find("short", 1, true))
  end)
end)
