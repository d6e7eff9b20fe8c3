-- The ledger of access, against the run's own Postgres.
local paying = require "support.paying"
local subscriptions = require "services.subscriptions"

local DAY_S = 86400

local function grant(driver_id, source, days, source_id)
  local given, problem = host.pg.transaction(function(tx)
    return subscriptions.grant(tx, { driver_id = driver_id, source = source, source_id = source_id or host.crypto.uuid(),
      days = days })
  end)
  subscriptions.forget(driver_id)
  return given, problem
end

local function near(expected, got)
  assert.is_true(math.abs(expected - got) < 0.001, ("expected %f, got %f"):format(expected, got))
end

describe("services.subscriptions", function()
  local driver

  before_each(function() driver = paying.driver() end)

  it("has nothing for who never paid", function()
    local subscription = assert(subscriptions.of(driver))
    assert.is_false(subscription.active)
    assert.is_nil(subscription.expires_at)
    assert.equal(0, subscription.days_left)
    assert.is_true(subscription.features.list)
    assert.is_false(subscription.features.respond)
  end)

  it("counts a grant once, whoever tells of it", function()
    local id = host.crypto.uuid()
    assert.truthy(grant(driver, "payment", 30, id))
    assert.is_false(grant(driver, "payment", 30, id))
    assert.equal(1, #paying.grants(driver))
    assert.equal(30, subscriptions.of(driver).days_left)
  end)

  it("ends to the second", function()
    grant(driver, "payment", 30)
    assert.is_true(subscriptions.is_active(driver))
    host.pg.query("UPDATE subscriptions SET expires_at = clock_timestamp() + interval '0.3 seconds' WHERE driver_id = $1::bigint", driver)
    subscriptions.forget(driver)
    local ends_at = paying.subscription(driver).expires_at
    while host.time.now() < ends_at - 0.05 do
      assert.is_true(subscriptions.is_active(driver))
      host.task.sleep(20)
    end
    while host.time.now() < ends_at do host.task.sleep(5) end
    assert.is_false(subscriptions.is_active(driver))
  end)

  it("comes to the same sum by any history of grants", function()
    math.randomseed(5)
    for _ = 1, 25 do
      local id, expires_at, sources = paying.driver(), nil, { "payment", "promo", "gift" }
      for _ = 1, math.random(1, 12) do
        local days = math.random(1, 400)
        if expires_at and math.random() < 0.3 then
          assert.truthy(grant(id, "refund", -days))
          expires_at = expires_at - days * DAY_S
        else
          local given = assert(grant(id, sources[math.random(#sources)], days))
          local rows = paying.grants(id)
          local at = rows[#rows].granted_at
          near(math.max(at, expires_at or at) + days * DAY_S, given.expires_after)
          expires_at = given.expires_after
        end
        near(expires_at, paying.subscription(id).expires_at)
      end
    end
  end)

  it("adds up grants that come all at once", function()
    local tasks = {}
    for index = 1, 20 do tasks[index] = function() return grant(driver, "gift", index) end end
    host.task.all(tasks)
    local rows, days = paying.grants(driver), 0
    table.sort(rows, function(a, b) return a.expires_after < b.expires_after end)
    for index, row in ipairs(rows) do
      days = days + row.days
      if index > 1 then near(rows[index - 1].expires_after, row.expires_before) end
    end
    assert.equal(210, days)
    near(rows[1].granted_at + 210 * DAY_S, paying.subscription(driver).expires_at)
  end)

  it("gives one trial at most", function()
    assert.truthy(grant(driver, "trial", 7))
    local given, problem = grant(driver, "trial", 7)
    assert.is_nil(given)
    assert.equal("subscription_grants_one_trial", problem.constraint)
  end)

  it("keeps the ledger as it was written", function()
    grant(driver, "payment", 30)
    for _, sql in ipairs {
      "UPDATE subscription_grants SET days = 300 WHERE driver_id = $1::bigint",
      "DELETE FROM subscription_grants WHERE driver_id = $1::bigint",
    } do
      local _, problem = host.pg.query(sql, driver)
      assert.matches("append only", tostring(problem))
    end
  end)

  it("ends access at once when it is revoked", function()
    grant(driver, "payment", 30)
    local given = assert(grant(driver, "revoke", 0))
    assert.equal(-30, given.days)
    assert.is_false(subscriptions.of(driver).active)
  end)
end)
