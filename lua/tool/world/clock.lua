--- Time that passes only when a spec says so: what host.time, host.task and host.timer are inside of tool.world.
local scheduler = require "tool.world.scheduler"

local START_S = 1768467600 -- 2026-01-15 12:00 in Moscow, a Thursday

local Clock = {}
Clock.__index = Clock

-- ---- host.task ----

local Handle = {}
Handle.__index = Handle

function Handle:join()
  local task = self.task
  task.joined = true
  if not task.ended then self.scheduler:wait(nil, function() return task.ended end, "join") end
  if task.results then return unpack(task.results, 1, task.results.n) end
  return nil, task.problem
end

function Handle:cancel()
  self.scheduler:cancel(self.task)
end

function Handle:ended()
  return self.task.ended == true
end

local Semaphore = {}
Semaphore.__index = Semaphore

local function release_then(release, ok, ...)
  release()
  if not ok then error((...), 0) end
  return ...
end

-- A permit comes back in any end, also that of a task which is stopped while it holds one.
Semaphore.with = function(self, fn)
  if self.permits < 1 then self.scheduler:wait(nil, function() return self.permits > 0 end, "semaphore") end
  local is_held = true
  local function release()
    if is_held then self.permits = self.permits + 1 end
    is_held = false
  end
  self.permits = self.permits - 1
  self.scheduler:at_end(release)
  return release_then(release, pcall(fn))
end

-- What is said in Lua over these (spawn, all, with_deadline, single_flight) stays as it is: core/bind/bind_task.lua.
local function task_face(tasks)
  local face = {}
  function face.sleep(ms)
    if type(ms) ~= "number" or ms < 0 then error("milliseconds to sleep", 2) end
    tasks:wait(tasks.now_ms + ms, nil, "sleep")
  end
  function face.spawn_with(options, fn, ...)
    if type(fn) ~= "function" then error("a function expected, got " .. type(fn), 2) end
    return setmetatable({ task = tasks:spawn(options, fn, ...), scheduler = tasks }, Handle)
  end
  function face.semaphore(permits)
    return setmetatable({ permits = permits, scheduler = tasks }, Semaphore)
  end
  function face.remaining_ms()
    local current = tasks.current
    return current and current.deadline_ms and math.max(0, current.deadline_ms - tasks.now_ms) or nil
  end
  function face.waited_ms()
    return (tasks.current or tasks).waited_ms
  end
  return face
end

-- ---- host.timer ----

local function timer_face(tasks)
  local function add(delay_ms, every_ms, fn)
    local timer = tasks:add_timer(delay_ms, every_ms, fn)
    return { cancel = function() tasks:drop_timer(timer) end }
  end
  return {
    after = function(delay_ms, fn) return add(delay_ms, nil, fn) end,
    every = function(interval_ms, fn) return add(interval_ms, interval_ms, fn) end,
  }
end

-- ---- the clock ----

local clock = {}

--- What takes the place of functions of the host: module → name → function.
function clock.replacements(self)
  return {
    time = { now = function() return self:now() end, monotonic_ms = function() return self.tasks.now_ms end },
    task = task_face(self.tasks), timer = timer_face(self.tasks),
  }
end

--- Unix seconds.
function Clock:now()
  return self.base_s + self.tasks.now_ms / 1000
end

function Clock:monotonic_ms()
  return self.tasks.now_ms
end

--- Set what it shows. No time passes.
function Clock:set(now_s)
  self.base_s = now_s - self.tasks.now_ms / 1000
end

function Clock:advance(seconds)
  self.tasks:pass_until(self.tasks.now_ms + seconds * 1000)
end

function clock.reset(self)
  self.tasks:reset()
  self.base_s = START_S
end

--- @param real_task table  host.task as it was
function clock.new(real_task)
  local made = setmetatable({ tasks = scheduler.new(real_task.spawn_with) }, Clock)
  clock.reset(made)
  return made
end

return clock
