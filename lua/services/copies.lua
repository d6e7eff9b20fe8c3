--- Copies of what CargoTech answered, shared by all drivers, workers and nodes: kept raw in Redis (and in the node's
--- memory for the time without it), fresh for a while and then stale for longer. Of all who need a fresh one at once,
--- one fetches; the rest wait for its result.
local host = host
local failure = require "kit.failure"
local locks = require "services.locks"

local copies = {}

local STALE_WAIT_MS = 2000    -- how long a driver waits for a fresh one when there is a stale one
local FETCH_MS = 10000
local POLL_MS = 60
local AFTER_FAILURE_MS = 3000 -- how long nobody asks again while there is a stale one

-- ---- storing: one line with the time, then the text ----

local function pack(text, now)
  return ("%.3f\n"):format(now) .. text
end

local function unpack_copy(packed)
  local stamp, from = packed:match "^([%d%.]+)\n()"
  if not stamp then return nil end
  return { text = packed:sub(from), stamp = stamp, fetched_at = tonumber(stamp) }
end

local function shared_key(spec)
  return "copy:" .. spec.key
end

local function read(spec)
  local packed, problem = host.redis.command("GET", spec.key)
  if problem then packed = host.shared.get(shared_key(spec)) end
  return packed and unpack_copy(packed) or nil
end

local function write(spec, text)
  local packed = pack(text, host.time.now())
  host.redis.command("SET", spec.key, packed, "EX", spec.fresh_s + spec.keep_s)
  host.shared.set(shared_key(spec), packed, (spec.fresh_s + spec.keep_s) * 1000)
  return unpack_copy(packed)
end

local function forget(spec)
  host.redis.command("DEL", spec.key)
  host.shared.delete(shared_key(spec))
end

local function is_fresh(copy, spec)
  return copy ~= nil and host.time.now() - copy.fetched_at < (spec.max_age_s or spec.fresh_s)
end

-- ---- one fetches for all ----

-- So that nobody asks again at once. What failed in the background says nothing about a driver's own attempt.
local function note_failure(spec, code)
  if not spec.background then host.shared.set("failed:" .. spec.key, code, AFTER_FAILURE_MS) end
end

local function fetch_locked(spec)
  local copy = read(spec)
  if is_fresh(copy, spec) then return copy end
  host.shared.delete("failed:" .. spec.key)
  local text, problem = spec.fetch()
  if text then return write(spec, text) end
  if problem.code == "not_found" then forget(spec) end
  note_failure(spec, problem.code)
  return nil, problem
end

-- Someone else fetches: what they got, or why they failed; nil to go on waiting.
local function result_of_another(spec)
  local made = read(spec)
  if is_fresh(made, spec) then return made end
  local code = host.shared.get("failed:" .. spec.key)
  if code then return nil, failure(code, { service = "cargotech", text = "another worker's call failed" }) end
end

local function wait_for_lock(spec, owner)
  while not locks.take(spec.key, owner) do
    if spec.background then return nil, failure("upstream_unavailable", { text = "another fetches already" }) end
    host.task.sleep(POLL_MS)
    local made, problem = result_of_another(spec)
    if made or problem then return made, problem end
  end
end

-- In a task of its own: whoever started it may stop waiting.
local function fetch_once(spec)
  local owner = host.crypto.uuid()
  local copy, problem = host.task.with_deadline(FETCH_MS, function()
    local made, why = wait_for_lock(spec, owner)
    if made or why then return made, why end
    return locks.hold(spec.key, owner, function() return fetch_locked(spec) end)
  end)
  locks.free(spec.key, owner) -- also when the deadline passed
  return copy, problem
end

local function fetch_shared(spec)
  local flight = (spec.background and "copy in background:" or "copy:") .. spec.key
  return host.task.single_flight(flight, function()
    local copy, problem = fetch_once(spec)
    if copy or problem.code ~= "timeout" then return copy, problem end
    note_failure(spec, "upstream_unavailable")
    return nil, failure("upstream_unavailable", { service = "cargotech", text = "took too long" })
  end)
end

-- ---- asking ----

local function count(spec, state)
  host.metrics.count("cache_total", { cache = spec.name, state = state })
end

--- @param spec {key: string, name: string, fresh_s: integer, keep_s: integer, fetch: fun(): string?, table?, max_age_s: number?,
---   background: boolean?}  background: for nobody in particular; gives way to drivers
--- @return {text: string, stamp: string, fetched_at: number}? copy
--- @return "hit"|"miss"|"stale"|nil state
--- @return table? failure  when nothing is stored and nothing came
function copies.get(spec)
  local copy = read(spec)
  if is_fresh(copy, spec) then
    count(spec, "hit")
    return copy, "hit"
  end
  if copy and host.shared.get("failed:" .. spec.key) then
    count(spec, "stale")
    return copy, "stale"
  end
  local fresh, problem
  if copy then
    fresh, problem = host.task.with_deadline(STALE_WAIT_MS, function() return fetch_shared(spec) end)
  else
    fresh, problem = fetch_shared(spec)
  end
  count(spec, fresh and "miss" or copy and "stale" or "error")
  if fresh then return fresh, "miss" end
  if copy and problem.code ~= "not_found" then return copy, "stale" end
  return nil, nil, problem
end

--- The stored copy, however old; nil when there is none. Asks nobody.
function copies.peek(spec)
  local copy = read(spec)
  return copy, is_fresh(copy, spec)
end

--- Fetch in the background unless a fresh one is there.
function copies.refresh_later(spec)
  host.task.spawn(function()
    if not is_fresh(read(spec), spec) then fetch_shared(spec) end
  end)
end

return copies
