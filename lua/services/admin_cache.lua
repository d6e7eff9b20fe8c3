--- The exchange's access, and what Redis holds of one driver, for the panel: ages, sizes, contents. No secret is read.
local admin_trail = require "services.admin_trail"
local breaker = require "services.breaker"
local cargo_pages = require "services.cargo_pages"
local cargo_token = require "services.cargo_token"
local copies = require "services.copies"
local failure = require "kit.failure"
local host = host

local admin_cache = {}

local SCAN_STEP, SCAN_LIMIT = 5000, 400
local MAX_LISTS = 50 -- shown
local MAX_IDS = 20   -- of one list

-- Keys of one driver's lists. Looks through the whole of Redis, a piece at a time, and stops at a bound.
local function list_keys(driver_id)
  local found, cursor, steps = {}, "0", 0
  repeat
    local reply = host.redis.command("SCAN", cursor, "MATCH", "user:" .. driver_id .. ":cargos:*", "COUNT", SCAN_STEP)
    if not reply then return nil end
    cursor, steps = tostring(reply[1]), steps + 1
    for _, key in ipairs(reply[2]) do found[#found + 1] = key end
  until cursor == "0" or steps >= SCAN_LIMIT
  table.sort(found)
  return found
end

-- The page a list points to: its size, and the ids of its cargos.
local function page_of(key)
  local copy = type(key) == "string" and copies.peek { key = key, fresh_s = 0 }
  if not copy then return { bytes = 0, ids = {}, count = 0 } end
  local answer = cargo_pages.body(copy)
  local data = type(answer) == "table" and type(answer.data) == "table" and answer.data or {}
  local ids = {}
  for i = 1, math.min(#data, MAX_IDS) do
    local id = type(data[i]) == "table" and data[i].id
    ids[#ids + 1] = type(id) == "number" and ("%.0f"):format(id) or tostring(id or "?")
  end
  return { bytes = #copy.stamp + 1 + #copy.text, ids = ids, count = #data }
end

local function list_of(key)
  local noted = host.redis.command("GET", key)
  local view = type(noted) == "string" and host.json.decode(noted) or {}
  local list = page_of(type(view) == "table" and view.page)
  list.key, list.left_s = key, host.redis.command("TTL", key)
  list.fetched_at = type(view) == "table" and tonumber(view.fetched_at) or nil
  return list
end

local function driver_cache(driver_id)
  local row = host.pg.one([[
    SELECT id, created_at FROM sessions WHERE driver_id = $1::text::bigint AND revoked_at IS NULL]], driver_id)
  local key = "driver:" .. driver_id .. ":session"
  local keys, lists = list_keys(driver_id) or {}, {}
  for i = 1, math.min(#keys, MAX_LISTS) do lists[i] = list_of(keys[i]) end
  return { driver_id = driver_id, stored_sid = row and row.id, session_began = row and row.created_at,
    cached_sid = host.redis.command("GET", key), session_key = key, left_s = host.redis.command("TTL", key), lists = lists, keys = #keys }
end

-- How much Redis holds; nil while it is away.
local function redis_size()
  local keys = host.redis.command "DBSIZE"
  local memory = host.redis.command("INFO", "memory")
  if not keys then return nil end
  return { keys = tonumber(keys), bytes = type(memory) == "string" and tonumber(memory:match "used_memory:(%d+)") or nil }
end

--- Access to the exchange, breakers, and one driver's copies when asked.
function admin_cache.show(driver_id)
  return {
    redis = host.redis.is_up(), size = redis_size(), token_age_s = cargo_token.age_s(), has_token = cargo_token.cached() ~= nil,
    breakers = { cargotech = breaker.state "cargotech", yookassa = breaker.state "yookassa" },
    driver = driver_id and driver_cache(driver_id),
  }
end

--- Forget one driver's lists; the next look fetches them.
--- @return {keys: integer}?
function admin_cache.clear_lists(driver_id, actor)
  local keys = list_keys(driver_id)
  if not keys then return nil, failure("not_ready", { text = "Redis is away" }) end
  for _, key in ipairs(keys) do
    host.redis.command("DEL", key)
    host.shared.delete(key)
  end
  local ok, problem = admin_trail.write(actor, { action = "cache.cleared", target_type = "driver", target_id = driver_id,
    details = { keys = #keys } })
  if not ok then return nil, problem end
  return { keys = #keys }
end

function admin_cache.drop_token(actor)
  local reply, problem = cargo_token.reset()
  if reply == nil then return nil, failure("not_ready", { text = tostring(problem) }) end
  return admin_trail.write(actor, { action = "cargo_token.dropped", target_type = "cargo_token" })
end

return admin_cache
