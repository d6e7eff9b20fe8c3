-- What people do to a subscription at the panel, against the run's own Postgres.
local admin_subscriptions = require "services.admin_subscriptions"
local events = require "services.events"
local paying = require "support.paying"

local ACTOR = { admin = { login = "olga" } }

local heard = {}
for _, name in ipairs(events.names()) do
  events.subscribe(name, function(payload) heard[#heard + 1] = { name, payload } end)
end

-- Subscribers run in tasks of their own, so a look lets them go first.
local function told_of(driver_id)
  host.task.sleep(1)
  local list = {}
  for _, event in ipairs(heard) do
    if event[2].driver_id == driver_id then list[#list + 1] = event end
  end
  return list
end

describe("services.admin_subscriptions", function()
  local driver, form

  before_each(function()
    driver = paying.driver()
    form = function(days)
      return { driver_id = driver, days = days, reason = "за терпение", key = host.crypto.uuid() }
    end
  end)

  it("tells of access that was given, and of each time it is prolonged", function()
    assert(admin_subscriptions.extend(form(10), ACTOR))
    assert(admin_subscriptions.extend(form(5), ACTOR))
    local told = told_of(driver)
    assert.same({ "subscription.activated", "subscription.activated" }, { told[1][1], told[2][1] })
    assert.is_nil(told[3])
    local ends_at = paying.subscription(driver).expires_at
    assert.same({ driver_id = driver, expires_at = host.time.iso8601(ends_at) }, told[2][2])
  end)

  it("tells once of a form that was sent twice", function()
    local gift = form(10)
    assert(admin_subscriptions.extend(gift, ACTOR))
    assert(admin_subscriptions.extend(gift, ACTOR))
    assert.equal(1, #told_of(driver))
    assert.equal(1, #paying.grants(driver))
  end)

  it("tells nobody that access was given when it was revoked or not given", function()
    assert(admin_subscriptions.extend(form(10), ACTOR))
    assert(admin_subscriptions.revoke(form(), ACTOR))
    assert.equal(1, #told_of(driver))
    local stranger = form(10)
    stranger.driver_id = "1"
    local _, problem = admin_subscriptions.extend(stranger, ACTOR)
    assert.equal("not_found", problem.code)
    assert.same({}, told_of "1")
  end)
end)
