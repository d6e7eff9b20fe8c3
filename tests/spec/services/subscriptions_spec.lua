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

  -- A step is {source, days}. Nothing can be taken from who never had access.
  local function draw_history()
    local steps, sources = {}, { "payment", "promo", "gift" }
    for index = 1, math.random(1, 12) do
      local chance = index > 1 and math.random() or 1
      steps[index] = chance < 0.2 and { "refund", -math.random(1, 400) } or chance < 0.3 and { "revoke", 0 }
        or { sources[math.random(#sources)], math.random(1, 400) }
    end
    return steps
  end

  -- base = max(now, expires_at), plus days of 86400 s; a refund takes from the end, a revocation ends it now.
  local function expected(expires_at, source, days, at)
    if source == "refund" then return expires_at + days * DAY_S end
    if source == "revoke" then return math.min(expires_at, at) end
    return math.max(at, expires_at or at) + days * DAY_S
  end

  local function play(steps)
    local id, expires_at = paying.driver(), nil
    for _, step in ipairs(steps) do
      local given = assert(grant(id, step[1], step[2]))
      local rows = paying.grants(id)
      expires_at = expected(expires_at, step[1], step[2], rows[#rows].granted_at)
      near(expires_at, given.expires_after)
      near(expires_at, paying.subscription(id).expires_at)
    end
  end

  -- The shortest history that still goes wrong, by leaving out step after step.
  local function shorten(steps)
    for index = #steps, 2, -1 do
      local shorter = {}
      for at, step in ipairs(steps) do
        if at ~= index then shorter[#shorter + 1] = step end
      end
      if not pcall(play, shorter) then steps = shorter end
    end
    return steps
  end

  it("comes to the same sum by any history of grants", function()
    local seed = 5
    math.randomseed(seed)
    for _ = 1, 60 do
      local steps = draw_history()
      local ok, problem = pcall(play, steps)
      if not ok then
        error(("%s\nseed %d, shortest history %s"):format(tostring(problem), seed, host.json.encode(shorten(steps))), 0)
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
