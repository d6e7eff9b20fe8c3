-- The parts of host.task that are plain Lua over bind_task.c. Arguments: the module, the metatable of semaphores.
local task, semaphore = ...
local error, type, ipairs, pcall, setmetatable = error, type, ipairs, pcall, setmetatable

function task.spawn(fn, ...)
  return task.spawn_with({}, fn, ...)
end

function task.all(fns)
  local handles, results = {}, {}
  for i, fn in ipairs(fns) do handles[i] = task.spawn_with({ detached = false }, fn) end
  for i, handle in ipairs(handles) do
    local value, failure = handle:join()
    results[i] = { value, failure }
  end
  return results
end

-- A raise inside fn is a raise here: only the deadline comes back as a failure.
function task.with_deadline(ms, fn)
  local handle = task.spawn_with({ deadline_ms = ms, detached = false, label = "with_deadline" }, fn)
  local function result(value, failure, ...)
    if value == nil and type(failure) == "table" and failure.code == "script_error" then error(failure.text, 0) end
    return value, failure, ...
  end
  return result(handle:join())
end

-- Weak: a flight lives while it is under way or waited for. All who waited may have been cancelled, and then nobody lands.
local flights = setmetatable({}, { __mode = "v" })

function task.single_flight(key, fn)
  local flight = flights[key]
  if not flight or flight:ended() then
    flight = task.spawn_with({ label = "single_flight " .. key }, fn)
    flights[key] = flight
  end
  local function land(...)
    if flights[key] == flight then flights[key] = nil end
    return ...
  end
  return land(flight:join())
end

local function release_then(permit, ok, ...)
  permit:release()
  if not ok then error((...), 0) end
  return ...
end

semaphore.__index.with = function(self, fn)
  return release_then(self:acquire(), pcall(fn))
end
