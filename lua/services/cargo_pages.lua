--- Pages of the cargo list. A page belongs to a query, not to a driver: everyone who asks the same reads the same copy.
--- What a driver has seen is noted under user:{driver_id}:cargos:{hash}, and the page as JSON is kept in the node's
--- memory, so that a hit costs no decoding.
local host = host
local cache = require "kit.cache"
local cargo_api = require "services.cargo_api"
local copies = require "services.copies"
local rules = require "kit.rules"
local text = require "kit.text"

local cargo_pages = {}

local VIEW_TRUSTED_MS = 900
local PREFETCH_EVERY_MS = 60000
local MAX_OFFSET = 10000

-- ---- queries ----

local prepared_queries = cache.new { max = 4000 }

local function remembered_of(filters)
  local kept = {}
  for _, name in ipairs(rules.filters.remembered) do kept[name] = filters[name] end
  return kept
end

--- What a set of filters means upstream: {filters, query, hash, remembered}. Worked out once per table of filters.
function cargo_pages.prepare(filters)
  local prepared = prepared_queries:get(filters)
  if prepared then return prepared end
  local query = rules.query.build(filters)
  local compact = host.json.encode(query, { sorted = true })
  prepared = {
    filters = filters, query = query, remembered = remembered_of(filters),
    hash = host.crypto.hex(host.crypto.md5(compact)),
  }
  prepared_queries:set(filters, prepared)
  return prepared
end

local function fetch(query, is_background)
  local body, problem, raw = cargo_api.get { path = "/v2/cargos/views", query = query, background = is_background }
  if not body then return nil, problem end
  if type(body.data) ~= "table" then
    return nil, { code = "upstream_unavailable", service = "cargotech", text = "a list without data" }
  end
  return raw
end

local function spec_of(prepared, is_background)
  local lives = host.config.cache
  return {
    name = "cargos", key = "cargos:page:" .. prepared.hash, fresh_s = lives.list_s, keep_s = lives.stale_s,
    fetch = function() return fetch(prepared.query, is_background) end,
  }
end

-- ---- pages ----

local function whole(value)
  return type(value) == "number" and value >= 0 and value == math.floor(value) and value < 2 ^ 53 and value or 0
end

--- Where a page ends and the next begins; `found` cargos came, also those that make no card.
function cargo_pages.meta(filters, found, total)
  total = whole(total)
  local reached = filters.offset + found
  local next_offset
  if found > 0 and (total > 0 and reached < total or total == 0 and found == filters.limit) then
    next_offset = reached <= MAX_OFFSET and reached or nil
  end
  return {
    total = total, limit = filters.limit, offset = filters.offset, next_offset = next_offset,
    loaded = total > 0 and math.min(total, reached) or reached,
  }
end

-- {cargos, meta} of a stored copy.
local function decode(copy, prepared)
  local body = host.json.decode(copy.text, { max_bytes = 8 * 1024 * 1024 })
  local data = type(body) == "table" and body.data
  local cargos = type(data) == "table" and data or {}
  local size = type(body.meta) == "table" and body.meta.size
  return { cargos = cargos, meta = cargo_pages.meta(prepared.filters, #cargos, size), fetched_at = copy.fetched_at }
end

-- A little later: what drivers ask for goes first.
local PREFETCH_AFTER_MS = 500

local function prefetch_next(prepared, meta)
  if not meta.next_offset then return end
  local filters = {}
  for name, value in pairs(prepared.filters) do filters[name] = value end
  filters.offset = meta.next_offset
  local next_page = cargo_pages.prepare(filters)
  if not host.shared.add("prefetch:" .. next_page.hash, true, PREFETCH_EVERY_MS) then return end
  host.timer.after(PREFETCH_AFTER_MS, function() copies.refresh_later(spec_of(next_page, true)) end)
end

--- The page of a query, decoded: {cargos, meta, fetched_at}, and how it was got.
--- @return table? page
--- @return "hit"|"miss"|"stale"|nil state
--- @return table? failure
function cargo_pages.get(prepared)
  local copy, state, problem = copies.get(spec_of(prepared))
  if not copy then return nil, nil, problem end
  local page = decode(copy, prepared)
  if state == "miss" then prefetch_next(prepared, page.meta) end
  return page, state
end

--- Is a fresh page of the query stored?
function cargo_pages.is_stored(prepared)
  local _, fresh = copies.peek(spec_of(prepared))
  return fresh
end

-- ---- what a driver sees, as JSON ----

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
function cargo_pages.json(driver_id, prepared, render)
  local body = seen_body(driver_id, prepared)
  if body then return body, "hit" end
  local copy, state, problem = copies.get(spec_of(prepared))
  if not copy then return nil, nil, problem end
  body = read_body(prepared)
  if not body or body.stamp ~= copy.stamp then
    local page = decode(copy, prepared)
    body = write_body(prepared, copy, render(page))
    if state == "miss" then prefetch_next(prepared, page.meta) end
  end
  if state ~= "stale" then note_view(driver_id, prepared, copy) end
  return body, state
end

-- ---- prices ----

local PRICES_MAX_AGE_S = 60
local SCAN_PAGES, SCAN_LIMIT = 3, 100

local function scan_page(filters, offset)
  local at = {}
  for name, value in pairs(filters) do at[name] = value end
  at.limit, at.offset = SCAN_LIMIT, offset
  local prepared = cargo_pages.prepare(at)
  local page, _, problem = cargo_pages.get(prepared)
  if not page then return nil, problem end
  if host.time.now() - page.fetched_at > PRICES_MAX_AGE_S then
    local spec = spec_of(prepared, true)
    spec.max_age_s = PRICES_MAX_AGE_S
    if host.shared.add("reprice:" .. prepared.hash, true, PRICES_MAX_AGE_S * 1000 / 2) then copies.refresh_later(spec) end
  end
  return page
end

--- Raw cargos among `wanted` (a set of ids as text) by id, from pages everyone shares.
--- @return table<string, table>? found
--- @return boolean? complete  the scan reached the end of the list, so what it did not find is gone
--- @return table? failure
function cargo_pages.find(filters, wanted)
  local found, missing, offset = {}, 0, 0
  for _ in pairs(wanted) do missing = missing + 1 end
  for _ = 1, SCAN_PAGES do
    local page, problem = scan_page(filters, offset)
    if not page then
      if offset == 0 then return nil, nil, problem end
      return found, false
    end
    for _, cargo in ipairs(page.cargos) do
      local id = type(cargo) == "table" and type(cargo.id) == "number" and ("%.0f"):format(cargo.id)
      if id and wanted[id] and not found[id] then found[id], missing = cargo, missing - 1 end
    end
    if missing == 0 or not page.meta.next_offset then return found, page.meta.next_offset == nil end
    offset = page.meta.next_offset
  end
  return found, false
end

-- ---- one cargo ----

local GONE_MS = 60000

--- The raw detail of one cargo.
--- @return table? cargo
--- @return "hit"|"miss"|"stale"|nil state
--- @return table? failure  not_found when the exchange has it no more
function cargo_pages.detail(id)
  if host.shared.get("gone:" .. id) then return nil, nil, { code = "not_found" } end
  local lives = host.config.cache
  local copy, state, problem = copies.get {
    name = "detail", key = ("cargo:%s:detail"):format(id), fresh_s = lives.detail_s, keep_s = lives.stale_s,
    fetch = function()
      local body, why, raw = cargo_api.get {
        path = "/v1/carrier/cargos/" .. id, query = { include = "contacts", source = 1 },
      }
      if not body then return nil, why end
      if type(body.data) ~= "table" then
        return nil, { code = "upstream_unavailable", service = "cargotech", text = "a detail without data" }
      end
      return raw
    end,
  }
  if not copy then
    if problem.code == "not_found" then host.shared.set("gone:" .. id, true, GONE_MS) end
    return nil, nil, problem
  end
  return host.json.decode(copy.text).data, state
end

-- ---- dictionaries ----

local function dictionary(spec)
  local lives = host.config.cache
  local copy, state, problem = copies.get {
    name = spec.name, key = spec.key, fresh_s = lives.points_s, keep_s = lives.stale_s,
    fetch = function()
      local body, why, raw = cargo_api.get { path = spec.path, query = spec.query }
      return body and raw, why
    end,
  }
  if not copy then return nil, nil, problem end
  local body = host.json.decode(copy.text, { max_bytes = 8 * 1024 * 1024 })
  local data = type(body) == "table" and body.data
  return type(data) == "table" and data or {}, state
end

--- Raw entries of "load_types" or "truck_types".
function cargo_pages.dictionary(name)
  return dictionary { name = name, key = name .. ":all", path = "/v1/dictionaries/" .. name }
end

--- Raw points whose name holds `query`; the same for any case and spacing.
function cargo_pages.points(query, limit)
  local normal = text.lower(text.squeeze(query))
  return dictionary {
    name = "cities", key = ("cities:%s:%d"):format(normal, limit), path = "/v1/dictionaries/points",
    query = { ["filter[name]"] = normal, limit = limit, offset = 0 },
  }
end

return cargo_pages
