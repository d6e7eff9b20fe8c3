--- The only memory that Lua code keeps between requests: bounded, per worker and generation, lost with it.
--- Two halves: the young one is written, and when it is full the old one is dropped whole, so a look-up and a
--- write cost the same however full it is.
local host = host

local Cache = {}
Cache.__index = Cache

local function read_clock()
  return host.time.monotonic_ms()
end

--- @param key any
--- @return any? value
function Cache:get(key)
  local entry = self.young[key]
  if not entry then
    entry = self.old[key]
    if not entry then return nil end
    self:keep(key, entry)
  end
  if entry[2] and entry[2] <= read_clock() then return nil end
  return entry[1]
end

--- @param ttl_ms? number  the cache's own by default
function Cache:set(key, value, ttl_ms)
  ttl_ms = ttl_ms or self.ttl_ms
  self:keep(key, { value, ttl_ms and read_clock() + ttl_ms })
end

function Cache:delete(key)
  self.young[key], self.old[key] = nil, nil
end

function Cache:keep(key, entry)
  if self.young[key] == nil then
    if self.count >= self.half then
      self.old, self.young, self.count = self.young, {}, 0
    end
    self.count = self.count + 1
  end
  self.young[key] = entry
end

local cache = {}

--- @param options {max: integer, ttl_ms?: number}
function cache.new(options)
  return setmetatable({
    young = {}, old = {}, count = 0,
    half = math.max(1, math.floor(options.max / 2)),
    ttl_ms = options.ttl_ms,
  }, Cache)
end

return cache
