-- Events that nobody else's spec waits for, against the run's own Postgres and Redis.
local events = require "services.events"
local sessions_contract = require "contracts.auth.create_session"
local subscription_expiry = require "services.subscription_expiry"

local heard = {}
for _, name in ipairs { "driver.authenticated", "subscription.expiring" } do
  events.subscribe(name, function(payload) heard[#heard + 1] = { name, payload } end)
end

local DRIVER = ("%.0f"):format(990000000 + math.random(1, 1e6))

local function of_driver(name)
  local list = {}
  for _, event in ipairs(heard) do
    if event[1] == name and event[2].driver_id == DRIVER then list[#list + 1] = event[2] end
  end
  return list
end

describe("domain events", function()
  it("tell of a driver who logged in", function()
    assert(sessions_contract({ id = DRIVER, first_name = "Иван" }, {}))
    assert.equal("Иван", of_driver("driver.authenticated")[1].first_name)
  end)

  it("tell once that access ends soon, whatever Redis forgets", function()
    assert(host.pg.query("INSERT INTO subscription_grants (driver_id, source, source_id, days) VALUES ($1::bigint, 'gift', $2, 3)",
      DRIVER, "spec-" .. DRIVER))
    assert.is_true(subscription_expiry.run().told >= 1)
    assert(host.redis.command "FLUSHDB")
    assert(subscription_expiry.run())
    local told = of_driver "subscription.expiring"
    assert.equal(1, #told)
    assert.equal(3, told[1].days_left)
  end)
end)
