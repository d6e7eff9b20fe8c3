-- Without Redis and Postgres: the node's memory does.
local list_cargos = require "contracts.cargo.list_cargos"
local world = require "tool.world"

local API = "https://cargotech.test"

-- `count` cargos of `size` in all, whatever page is asked for.
local function market(count, size)
  local data = {}
  for id = 1, count do data[id] = { id = id } end
  world.http:reply("GET", API .. "/v2/cargos/views*", { json = { data = host.json.array(data), meta = { size = size } } })
end

-- As a driver's program asks; each radius is a search of its own.
local function ask(radius)
  local page = assert(list_cargos({ mode = "all", start_point_id = 62, start_point_radius = radius, limit = 2 },
    { driver_id = "501", wants = "json", language = "ru" }))
  return host.json.decode(page.encoded.text)
end

local function offsets_asked()
  local offsets = {}
  for _, asked in ipairs(world.http.asked) do offsets[#offsets + 1] = asked.url:match "offset=([^&]*)" end
  return offsets
end

-- How many pages were wanted, also of those that nobody could ask for.
local function pages_looked_up()
  local seen, count = {}, 0
  for _, command in ipairs(world.redis.asked) do
    local key = command:match "^GET (cargos:page:%x+)"
    if key and not seen[key] then seen[key], count = true, count + 1 end
  end
  return count
end

describe("services.cargo_views", function()
  before_each(function()
    world.redis:down()
    world.pg:down()
    world.setting("cargotech.api_url", API)
    world.setting("cargotech.phone", "+7 911 111 11 11")
    world.setting("cargotech.password", "password")
    world.http:reply("POST", API .. "/v1/auth/login", { json = { data = { token = "1|x" } } })
  end)

  it("fetches the next page ahead", function()
    market(2, 3)
    assert.equal(2, ask(901).meta.next_offset)
    world.advance "1s"
    assert.same({ "0", "2" }, offsets_asked())
    assert.equal(2, pages_looked_up())
  end)

  it("fetches nothing behind the last page", function()
    market(2, 2)
    assert.equal(host.json.null, ask(902).meta.next_offset)
    world.advance "1s"
    assert.same({ "0" }, offsets_asked())
    assert.equal(1, pages_looked_up())
  end)
end)
