local world = require "tool.world"

describe("maintenance", function()
  local function answer(config, request)
    return world.plugin("maintenance", config):request(request or { path = "/api/v1/cargos" })
  end

  it("answers with its message and when to come again", function()
    local res = answer { message = "В полдень", retry_after_s = 60 }
    assert.equal(503, res.status)
    assert.equal("В полдень", res.json.detail)
    assert.equal("60", tostring(res.headers["Retry-After"]))
  end)

  it("says when it is over, in the language of whoever asks", function()
    local english = { path = "/api/v1/cargos", headers = { ["accept-language"] = "en" } }
    assert.equal("Чиним. Вернёмся к 15:30.", answer({ back_at = "15:30" }).json.detail)
    assert.equal("Repairs, back at 15:30.", answer({ back_at = "15:30" }, english).json.detail)
    assert.equal("Чиним. Скоро вернёмся.", answer({}).json.detail)
    assert.equal("maintenance", answer({}).json.code)
  end)

  it("lets everybody pass when it is off", function()
    assert.equal(200, answer({ enabled = false }).status)
  end)

  it("keeps the panel and notifications open", function()
    assert.equal(200, answer({}, { path = "/admin/" }).status)
    assert.equal(200, answer({}, { path = "/webhooks/yookassa" }).status)
  end)

  it("lets named addresses look", function()
    assert.equal(200, answer({ open_addresses = { "203.0.113.9" } }, { address = "203.0.113.9" }).status)
  end)
end)
