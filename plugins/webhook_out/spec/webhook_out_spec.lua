local fixture = require "services.plugin_fixture"

local SECRET = "a-secret-of-sixteen-bytes"

describe("webhook_out", function()
  local queued, asked, answer

  local function load(config)
    local all = { url = "https://crm.example/hook", secret = SECRET, events = { "payment.succeeded" } }
    for key, value in pairs(config or {}) do all[key] = value end
    return fixture.load("webhook_out", all, {
      outbox = { add = function(entry) queued[#queued + 1] = entry return {} end },
      http = { request = function(request) asked[#asked + 1] = request return answer, not answer and { code = "timeout" } or nil end },
    })
  end

  before_each(function() queued, asked, answer = {}, {}, { status = 200 } end)

  it("queues the events it was asked for, and no others", function()
    local plugin = load()
    plugin:event("payment.succeeded", { driver_id = "1" })
    plugin:event("promo.applied", { driver_id = "1" })
    assert.equal(1, #queued)
    assert.equal("payment.succeeded", queued[1].data.event)
    assert.same({ driver_id = "1" }, queued[1].data.payload)
  end)

  it("signs what it sends", function()
    assert.is_true(load():deliver({ id = "1", event = "payment.succeeded" }))
    local request = asked[1]
    local mac = host.crypto.hmac_sha256(SECRET, request.headers["X-Fura-Timestamp"] .. "." .. request.body)
    assert.equal("v1=" .. host.crypto.hex(mac), request.headers["X-Fura-Signature"])
  end)

  it("wants to try again after silence and refusals, but not when nobody wants it", function()
    local plugin = load()
    answer = nil
    assert.is_nil((plugin:deliver({ id = "1", event = "x" })))
    for status, permanent in pairs { [500] = false, [404] = false, [410] = true } do
      answer = { status = status }
      local done, problem = plugin:deliver({ id = "1", event = "x" })
      assert.is_nil(done)
      assert.equal(permanent, problem.permanent)
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
