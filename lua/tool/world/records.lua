--- What the code under test left behind: log lines, metrics and events; and the memory that workers share, by the clock of
--- the spec.
local events = require "services.events"
local failure = require "kit.failure"
local lists = require "tool.world.lists"

-- ---- logs ----

local function log_into(lines)
  local log = {}
  for _, level in ipairs { "debug", "info", "warn", "error" } do
    log[level] = function(message, fields)
      if type(message) ~= "string" then error("a log message is a text, not a " .. type(message), 2) end
      lines[#lines + 1] = { level = level, message = message, fields = fields or {} }
    end
  end
  return log
end

-- ---- metrics ----

local function has_labels(labels, wanted)
  for name, value in pairs(wanted or {}) do
    if tostring((labels or {})[name]) ~= tostring(value) then return false end
  end
  return true
end

-- The real ones are called too: they know which names and labels are wrong.
local function metrics_into(list, real)
  return {
    count = function(name, labels, delta)
      real.count(name, labels, delta)
      list[#list + 1] = { name = name, labels = labels, value = delta or 1 }
    end,
    gauge = function(name, value, labels)
      real.gauge(name, value, labels)
      list[#list + 1] = { name = name, labels = labels, value = value, is_gauge = true }
    end,
    observe = function(name, seconds, labels)
      real.observe(name, seconds, labels)
      list[#list + 1] = { name = name, labels = labels, value = seconds }
    end,
  }
end

-- ---- shared memory ----

local function check_value(value)
  local kind = type(value)
  if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
    error(("shared memory keeps strings, numbers and booleans, not a %s"):format(kind), 3)
  end
end

local function shared_by(clock, kept)
  local shared = {}
  local function live(key)
    local entry = kept[key]
    if entry and entry.ends_ms and entry.ends_ms <= clock:monotonic_ms() then
      kept[key] = nil
      return nil
    end
    return entry
  end
  local function put(key, value, ttl_ms)
    kept[key] = { value = value, ends_ms = ttl_ms and clock:monotonic_ms() + math.max(1, ttl_ms) }
    return true
  end
  function shared.get(key)
    local entry = live(key)
    if entry then return entry.value, entry.ends_ms and entry.ends_ms - clock:monotonic_ms() end
  end
  function shared.set(key, value, ttl_ms)
    check_value(value)
    return put(key, value, ttl_ms)
  end
  function shared.add(key, value, ttl_ms)
    check_value(value)
    return not live(key) and put(key, value, ttl_ms)
  end
  function shared.increment(key, delta, ttl_ms)
    local entry = live(key)
    if entry and type(entry.value) ~= "number" then
      return nil, failure("invalid", { service = "shared", text = "the key holds no number" })
    end
    if not entry then put(key, delta or 1, ttl_ms) else entry.value = entry.value + (delta or 1) end
    return kept[key].value
  end
  function shared.compare_and_set(key, expected, value, ttl_ms)
    local entry = live(key)
    if (entry and entry.value) ~= expected then return false end
    check_value(value)
    return put(key, value, ttl_ms)
  end
  function shared.delete(key)
    kept[key] = nil
  end
  return shared
end

-- ---- all of it ----

local records = {}

local Records = {}
Records.__index = Records

--- The sum of a counter or of what was observed, or the last value of a gauge; 0 when there was nothing.
function Records:metric(name, labels)
  local sum = 0
  for _, entry in ipairs(self.metrics) do
    if entry.name == name and has_labels(entry.labels, labels) then
      sum = entry.is_gauge and entry.value or sum + entry.value
    end
  end
  return sum
end

--- @param clock table
--- @param real_metrics table  host.metrics as it was
function records.new(clock, real_metrics)
  return setmetatable({ logs = {}, metrics = {}, events = {}, kept = {}, clock = clock, real_metrics = real_metrics }, Records)
end

function records.replacements(self)
  return { log = log_into(self.logs), metrics = metrics_into(self.metrics, self.real_metrics), shared = shared_by(self.clock, self.kept) }
end

function records.reset(self)
  for _, list in ipairs { self.logs, self.metrics, self.events } do lists.clear(list) end
  for key in pairs(self.kept) do self.kept[key] = nil end
  records.close(self)
  self.bring_back = events.alone()
  for _, name in ipairs(events.names()) do
    events.subscribe(name, function(payload) self.events[#self.events + 1] = { name = name, payload = payload } end)
  end
end

--- Who heard of events before hears of them again.
function records.close(self)
  if self.bring_back then self.bring_back() end
  self.bring_back = nil
end

return records
