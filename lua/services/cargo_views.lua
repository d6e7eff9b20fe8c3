--- The list as a driver sees it, ready as JSON. It is kept in the node's memory, so that a hit costs no decoding; that a
--- driver has seen a page is noted in Redis under user:{driver_id}:cargos:{hash}, for as long as the page is fresh.
local host = host
local cargo_pages = require "services.cargo_pages"
local rules = require "kit.rules"

local cargo_views = {}

local VIEW_TRUSTED_MS = 900 -- a view cleared on another node is gone here within a second

local function view_key(driver_id, prepared)
  return ("user:%s:cargos:%s"):format(driver_id, prepared.hash)
end

-- An edited rule makes new cards at once: its hash is part of the key.
local function body_key(prepared)
  return ("body:%s:%s"):format(prepared.hash, rules.hash "card")
end

-- The kept JSON: {stamp, fetched_at, tag, text}; text lacks its end, which tells the cache state.
local function read_body(prepared)
  local kept = host.shared.get(body_key(prepared))
  if not kept then return nil end
  local stamp, tag, from = kept:match "^([^\n]*)\n([^\n]*)\n()"
  return { stamp = stamp, fetched_at = tonumber(stamp), tag = tag, text = kept:sub(from) }
end

local function write_body(prepared, copy, body_text)
  local tag = host.crypto.hex(host.crypto.sha256(body_text)):sub(1, 16)
  local lives = host.config.cache
  host.shared.set(body_key(prepared), copy.stamp .. "\n" .. tag .. "\n" .. body_text,
    (lives.list_s + lives.stale_s) * 1000)
  return { stamp = copy.stamp, fetched_at = copy.fetched_at, tag = tag, text = body_text }
end

local function is_fresh(body)
  return body ~= nil and host.time.now() - body.fetched_at < host.config.cache.list_s
end

-- Fresh in memory, and noted as this driver's view lately here or in Redis.
local function seen_body(driver_id, prepared)
  local body = read_body(prepared)
  if not is_fresh(body) then return nil end
  local key = view_key(driver_id, prepared)
  if host.shared.get(key) then return body end
  if not host.redis.command("GET", key) then return nil end
  host.shared.set(key, true, VIEW_TRUSTED_MS)
  return body
end

local function note_view(driver_id, prepared, copy)
  local left_s = math.floor(copy.fetched_at + host.config.cache.list_s - host.time.now())
  if left_s < 1 then return end
  local key = view_key(driver_id, prepared)
  local value = host.json.encode { page = "cargos:page:" .. prepared.hash, fetched_at = copy.stamp }
  host.redis.command("SET", key, value, "EX", left_s)
  host.shared.set(key, true, VIEW_TRUSTED_MS)
end

--- The list as JSON without its last member. `render(page)` makes it from a decoded page when it is not kept.
--- @return {text: string, tag: string, fetched_at: number}? body
--- @return "hit"|"miss"|"stale"|nil state
--- @return table? failure
function cargo_views.json(driver_id, prepared, render)
  local body = seen_body(driver_id, prepared)
  if body then return body, "hit" end
  local copy, state, problem = cargo_pages.copy(prepared)
  if not copy then return nil, nil, problem end
  body = read_body(prepared)
  if not body or body.stamp ~= copy.stamp then
    local page = cargo_pages.decode(copy, prepared)
    if state == "miss" then cargo_pages.prefetch_next(prepared, page.meta) end -- before render puts null where nothing is
    body = write_body(prepared, copy, render(page))
  end
  if state ~= "stale" then note_view(driver_id, prepared, copy) end
  return body, state
end

return cargo_views
