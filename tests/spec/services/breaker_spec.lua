local breaker = require "services.breaker"

describe("services.breaker", function()
  local service
  before_each(function() service = "spec-" .. host.crypto.uuid() end)

  it("opens after five failures in a row and says how long", function()
    for _ = 1, 4 do breaker.failed(service) end
    assert.is_true((breaker.allow(service)))
    breaker.failed(service)
    local open, wait_ms = breaker.allow(service)
    assert.is_nil(open)
    assert.is_true(wait_ms > 29000 and wait_ms <= 30000)
    assert.equal("open", breaker.state(service))
  end)

  it("counts only failures in a row", function()
    for _ = 1, 4 do breaker.failed(service) end
    breaker.succeeded(service)
    for _ = 1, 4 do breaker.failed(service) end
    assert.equal("closed", breaker.state(service))
  end)

  it("lets one probe through when it was open long enough", function()
    for _ = 1, 5 do breaker.failed(service) end
    host.shared.set("breaker:" .. service .. ":open_until", host.time.monotonic_ms() - 1)
    assert.is_true((breaker.allow(service)))
    assert.is_nil((breaker.allow(service)))
    breaker.succeeded(service)
    assert.equal("closed", breaker.state(service))
    assert.is_true((breaker.allow(service)))
  end)

  it("opens again when the probe fails", function()
    for _ = 1, 5 do breaker.failed(service) end
    host.shared.set("breaker:" .. service .. ":open_until", host.time.monotonic_ms() - 1)
    breaker.allow(service)
    breaker.failed(service)
    assert.equal("open", breaker.state(service))
  end)
end)
