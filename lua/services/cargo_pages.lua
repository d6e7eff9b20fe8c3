--- Pages of the cargo list. A page belongs to a query, not to a driver: everyone who asks the same reads the same copy.
local host = host
local cache = require "kit.cache"
local cargo_api = require "services.cargo_api"
local copies = require "services.copies"
local rules = require "kit.rules"

local cargo_pages = {}

local PREFETCH_EVERY_MS = 60000
local MAX_OFFSET = 10000
local MAX_BYTES = 8 * 1024 * 1024

-- ---- queries ----

local prepared_queries = cache.new { max = 4000 }

local function remembered_of(filters)
  local kept = {}
  for _, name in ipairs(rules.filters.remembered) do kept[name] = filters[name] end
  return kept
end

local function hash_of(query)
  return host.crypto.hex(host.crypto.md5(host.json.encode(query, { sorted = true })))
end

-- The same for all pages of one search.
local function search_of(query)
  local search = {}
  for name, value in pairs(query) do search[name] = value end
  search.limit, search.offset = nil, nil
  return hash_of(search)
end

--- What a set of filters means upstream: {filters, query, hash, search, remembered}. Worked out once per table of filters.
function cargo_pages.prepare(filters)
  local prepared = prepared_queries:get(filters)
  if prepared then return prepared end
  local query = rules.query.build(filters)
  prepared = {
    filters = filters, query = query, remembered = remembered_of(filters),
    hash = hash_of(query), search = search_of(query),
  }
  prepared_queries:set(filters, prepared)
  return prepared
end

local function listed_key(prepared)
  return "cargos:listed:" .. prepared.search
end

-- When a page of the search that drivers look at was fetched last; nil and a failure when that cannot be known.
local function listed_at(prepared)
  local shown, problem = host.redis.command("GET", listed_key(prepared))
  return tonumber(shown) or 0, problem
end

local function note_listed(prepared)
  local lives = host.config.cache
  host.redis.command("SET", listed_key(prepared), ("%.3f"):format(host.time.now()), "EX", lives.list_s + lives.stale_s)
end

-- options: background = for nobody in particular; scan = for prices, no driver looks at it
local function spec_of(prepared, options)
  local lives, background = host.config.cache, options and options.background
  return {
    name = "cargos", key = "cargos:page:" .. prepared.hash, fresh_s = lives.list_s, keep_s = lives.stale_s,
    background = background,
    fetch = function()
      local text, problem = cargo_api.fetch { path = "/v2/cargos/views", query = prepared.query, background = background }
      if text and not (options and options.scan) then note_listed(prepared) end
      return text, problem
    end,
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

--- What CargoTech said, of a stored copy of a page.
function cargo_pages.body(copy)
  return host.json.decode(copy.text, { max_bytes = MAX_BYTES })
end

--- {cargos, meta, fetched_at} of a stored copy.
function cargo_pages.decode(copy, prepared)
  local body = cargo_pages.body(copy)
  local data = type(body) == "table" and body.data
  local cargos = type(data) == "table" and data or {}
  local size = type(body.meta) == "table" and body.meta.size
  return { cargos = cargos, meta = cargo_pages.meta(prepared.filters, #cargos, size), fetched_at = copy.fetched_at }
end

-- A little later: what drivers ask for goes first.
local PREFETCH_AFTER_MS = 500

--- Get the page after this one in the background, when the account's limit has room.
function cargo_pages.prefetch_next(prepared, meta)
  if not meta.next_offset then return end
  local filters = {}
  for name, value in pairs(prepared.filters) do filters[name] = value end
  filters.offset = meta.next_offset
  local next_page = cargo_pages.prepare(filters)
  if not host.shared.add("prefetch:" .. next_page.hash, true, PREFETCH_EVERY_MS) then return end
  host.timer.after(PREFETCH_AFTER_MS, function() copies.refresh_later(spec_of(next_page, { background = true })) end)
end

--- The stored copy of a query's page, fetched when there is no fresh one.
--- @return {text: string, stamp: string, fetched_at: number}? copy
--- @return "hit"|"miss"|"stale"|nil state
--- @return table? failure
function cargo_pages.copy(prepared)
  return copies.get(spec_of(prepared))
end

--- The page of a query, decoded: {cargos, meta, fetched_at}, and how it was got.
--- @return table? page
--- @return "hit"|"miss"|"stale"|nil state
--- @return table? failure
function cargo_pages.get(prepared)
  local copy, state, problem = cargo_pages.copy(prepared)
  if not copy then return nil, nil, problem end
  local page = cargo_pages.decode(copy, prepared)
  if state == "miss" then cargo_pages.prefetch_next(prepared, page.meta) end
  return page, state
end

--- Is a fresh page of the query stored?
function cargo_pages.is_stored(prepared)
  local _, fresh = copies.peek(spec_of(prepared))
  return fresh
end

-- ---- prices ----

local PRICES_MAX_AGE_S = 60
local SCAN_PAGES, SCAN_LIMIT = 3, 100

local function refresh_prices(prepared)
  if not host.shared.add("reprice:" .. prepared.hash, true, PRICES_MAX_AGE_S * 1000 / 2) then return end
  local spec = spec_of(prepared, { background = true, scan = true })
  spec.max_age_s = PRICES_MAX_AGE_S
  copies.refresh_later(spec)
end

local function scan_page(filters, offset)
  local at = {}
  for name, value in pairs(filters) do at[name] = value end
  at.limit, at.offset = SCAN_LIMIT, offset
  local prepared = cargo_pages.prepare(at)
  local copy, _, problem = copies.get(spec_of(prepared, { scan = true }))
  if not copy then return nil, problem end
  if host.time.now() - copy.fetched_at > PRICES_MAX_AGE_S then refresh_prices(prepared) end
  return cargo_pages.decode(copy, prepared)
end

-- The wanted cargos of a page go into `found`; gives how many were new.
local function collect(page, wanted, found)
  local count = 0
  for _, cargo in ipairs(page.cargos) do
    local id = type(cargo) == "table" and type(cargo.id) == "number" and ("%.0f"):format(cargo.id)
    if id and wanted[id] and not found[id] then found[id], count = cargo, count + 1 end
  end
  return count
end

-- Nothing is called gone unless the scan saw the whole list, and saw it after every page that drivers look at.
local function covers_all(last_page, oldest, filters)
  if last_page.meta.next_offset or last_page.meta.loaded < last_page.meta.total then return false end
  local listed, problem = listed_at(cargo_pages.prepare(filters))
  return not problem and oldest >= listed
end

--- Raw cargos among `wanted` (a set of ids as text), from pages everyone shares.
--- @return {found: table<string, table>, complete: boolean, oldest: number}? scan  `found` by id; complete: what was not found is
---   gone; oldest: when the oldest of these pages was fetched
--- @return table? failure
function cargo_pages.find(filters, wanted)
  local scan, missing, offset = { found = {}, complete = false, oldest = math.huge }, 0, 0
  for _ in pairs(wanted) do missing = missing + 1 end
  for _ = 1, SCAN_PAGES do
    local page, problem = scan_page(filters, offset)
    if not page and offset == 0 then return nil, problem end
    if not page then return scan end
    missing, scan.oldest = missing - collect(page, wanted, scan.found), math.min(scan.oldest, page.fetched_at)
    offset = page.meta.next_offset
    scan.complete = missing == 0 or not offset and covers_all(page, scan.oldest, filters)
    if missing == 0 or not offset then return scan end
  end
  return scan
end

return cargo_pages
