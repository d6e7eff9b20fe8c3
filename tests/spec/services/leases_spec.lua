-- Against the run's own Postgres.
local leases = require "services.leases"

local function new_name() return "spec " .. host.crypto.uuid() end

local function take_for_another(name, seconds)
  assert(host.pg.query([[
    INSERT INTO leases VALUES ($1, gen_random_uuid(), clock_timestamp() + $2 * interval '1 second')
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at]], name, seconds))
end

local function rows(name)
  return host.pg.one("SELECT count(*) AS n FROM leases WHERE name = $1", name).n
end

describe("services.leases", function()
  it("runs the work, gives its results and is free again", function()
    local name = new_name()
    local result, problem = leases.with(name, function() return "done", "and more" end)
    assert.equal("done", result)
    assert.equal("and more", problem)
    assert.equal(0, rows(name))
  end)

  it("lets one of many in", function()
    local name, inside, most, ran = new_name(), 0, 0, 0
    local asks = {}
    for n = 1, 8 do
      asks[n] = function()
        return leases.with(name, function()
          inside, ran = inside + 1, ran + 1
          most = math.max(most, inside)
          host.task.sleep(50)
          inside = inside - 1
          return true
        end)
      end
    end
    local taken = 0
    for _, result in ipairs(host.task.all(asks)) do
      if result[2] and result[2].code == "lease_taken" then taken = taken + 1 end
    end
    assert.equal(1, most)
    assert.equal(8, ran + taken)
  end)

  it("does not begin while another holds it, and begins once that has expired", function()
    local name = new_name()
    take_for_another(name, 60)
    local result, problem = leases.with(name, function() return true end)
    assert.is_nil(result)
    assert.equal("lease_taken", problem.code)
    take_for_another(name, -1)
    assert.is_true(leases.with(name, function() return true end))
  end)

  it("is free after work that failed", function()
    local name = new_name()
    local result, problem = leases.with(name, function() error("no") end)
    assert.is_nil(result)
    assert.equal("script_error", problem.code)
    assert.equal(0, rows(name))
  end)

  it("stops its work when another has taken it over", function()
    local name, ended = new_name(), false
    local result, problem = leases.with(name, function()
      take_for_another(name, 60)
      host.task.sleep(20000)
      ended = true
      return true
    end)
    assert.is_nil(result)
    assert.equal("cancelled", problem.code)
    assert.is_false(ended)
    assert.equal(1, rows(name))
  end)
end)
