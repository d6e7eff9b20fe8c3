-- What the panel shows of a driver's lists, against the run's own Redis.
local admin_cache = require "services.admin_cache"

local next_driver = 800000000 + math.random(1, 1e6) * 100

-- A driver whose one list points to a page with this text.
local function driver_with_page(text)
  next_driver = next_driver + 1
  local driver, page = ("%.0f"):format(next_driver), "cargos:page:" .. host.crypto.uuid()
  local packed = ("%.3f\n"):format(host.time.now()) .. text
  host.redis.command("SET", page, packed, "EX", 60)
  host.redis.command("SET", "user:" .. driver .. ":cargos:spec", host.json.encode { page = page, fetched_at = host.time.now() }, "EX", 60)
  return driver, #packed
end

local function list_of(driver)
  return assert(admin_cache.show(driver)).driver.lists[1]
end

describe("services.admin_cache", function()
  it("shows the size of a list's page and the ids in it", function()
    local driver, bytes = driver_with_page '{"data":[{"id":11},{"id":12}]}'
    local list = list_of(driver)
    assert.equal(bytes, list.bytes)
    assert.same({ "11", "12" }, list.ids)
    assert.equal(2, list.count)
  end)

  it("counts the cargos of a page of more than a megabyte", function()
    local note = ("x"):rep(100000)
    local cargos = {}
    for id = 1, 30 do cargos[id] = { id = id, note = note } end
    local driver, bytes = driver_with_page(host.json.encode { data = cargos })
    local list = list_of(driver)
    assert.equal(bytes, list.bytes)
    assert.is_true(bytes > 2 * 1024 * 1024)
    assert.equal(30, list.count)
    assert.equal(20, #list.ids)
  end)

  it("shows nothing of a page that is gone or is no page", function()
    local driver = driver_with_page "no JSON"
    assert.equal(0, list_of(driver).count)
    host.redis.command("SET", "user:" .. driver .. ":cargos:spec", host.json.encode { page = "cargos:page:gone" }, "EX", 60)
    assert.same({ 0, 0 }, { list_of(driver).bytes, list_of(driver).count })
  end)
end)
