--- Time that passes only when a spec says so, and the tasks, timers and waits that live in it: what host.time, host.task
--- and host.timer are inside of tool.world.
---
--- Tasks are coroutines of ours, resumed one after the other in the order in which they fall due, so a spec sees the same
--- each time. Where the spec itself waits (it calls a function that sleeps), time passes by itself up to that moment.
local failure = require "kit.failure"

local START_S = 1768467600 -- 2026-01-15 12:00 in Moscow, a Thursday
local SETTLE_MS = 60000
local WAIT = {}            -- what our coroutines yield

local clock = {}

--- @param real_task table  host.task as it was: a budget of computing is kept by a task of the runtime
function clock.new(real_task)
  local self = { place_of = function() return "" end } -- place_of: where a coroutine stands, by who can see it
  local base_s, mono_ms     -- Unix time is base_s + mono_ms / 1000
  local tasks, timers       -- in the order in which they were made
  local current             -- the task of ours that runs; nil: the spec itself
  local spec_waited_ms

  -- ---- ends ----

  local function forget(task)
    for index, known in ipairs(tasks) do
      if known == task then table.remove(tasks, index) break end
    end
  end

  local finish

  local function end_children(parent)
    for _, task in ipairs({ unpack(tasks) }) do
      if task.parent == parent then finish(task, nil, failure("cancelled", { service = "task" })) end
    end
  end

  -- `problem`: why there are no results.
  function finish(task, results, problem)
    if task.ended then return end
    task.ended, task.results, task.problem = true, results, problem
    forget(task)
    end_children(task)
  end

  local function note_raise(task, text)
    finish(task, nil, failure("script_error", { service = "task", text = text }))
    task.raised = text
  end

  -- ---- running ----

  local function pack(...)
    return { n = select("#", ...), ... }
  end

  -- One stretch of a task, up to its next wait. With a budget it runs inside a task of the runtime, which stops it.
  local function stretch(task, ...)
    if not task.cpu_ms then return pack(coroutine.resume(task.co, ...)) end
    local outcome
    local handle = real_task.spawn_with({ label = task.label, cpu_ms = task.cpu_ms, detached = false }, function(...)
      outcome = pack(coroutine.resume(task.co, ...))
      return true
    end, ...)
    local whole, problem = handle:join()
    return whole and outcome or { n = 2, false, self.place_of(task.co) .. tostring(problem.text) }
  end

  local function run(task, ...)
    local before = current
    current, task.due_ms, task.ready = task, nil, nil
    local outcome = stretch(task, ...)
    current = before
    if task.ended then return end
    if not outcome[1] then return note_raise(task, tostring(outcome[2])) end
    if coroutine.status(task.co) == "dead" then
      finish(task, { n = outcome.n - 1, unpack(outcome, 2, outcome.n) })
    end
  end

  local function spawn(options, fn, ...)
    local task = {
      label = options.label or "task", co = coroutine.create(fn), cpu_ms = options.cpu_ms,
      parent = options.detached == false and (current or "spec") or nil,
      deadline_ms = options.deadline_ms and mono_ms + options.deadline_ms, waited_ms = 0,
    }
    if options.detached == false and current and current.deadline_ms then
      task.deadline_ms = math.min(task.deadline_ms or math.huge, current.deadline_ms)
    end
    tasks[#tasks + 1] = task
    run(task, ...)
    return task
  end

  -- ---- what happens next ----

  local function fire(timer)
    timer.due_ms = timer.every_ms and timer.due_ms + timer.every_ms or math.huge
    if timer.task and not timer.task.ended then return end -- a run that still goes on is not overlapped
    timer.task = spawn({ label = "timer" }, timer.fn)
  end

  local function is_parked(task)
    return coroutine.status(task.co) == "suspended"
  end

  local function ready_task()
    for _, task in ipairs(tasks) do
      if task.ready and is_parked(task) and task.ready() then return task end
    end
  end

  -- The first to fall due up to a time: when, and what is to be done then.
  local function nearest_until(limit_ms)
    local due_ms, act = limit_ms, nil
    local function consider(at_ms, fn, subject)
      if at_ms and at_ms < math.huge and (at_ms < due_ms or not act and at_ms <= due_ms) then
        due_ms, act = at_ms, function() return fn(subject) end
      end
    end
    for _, timer in ipairs(timers) do consider(timer.due_ms, fire, timer) end
    for _, task in ipairs(tasks) do
      if is_parked(task) then
        consider(task.due_ms, run, task)
        consider(task.deadline_ms, function(late) finish(late, nil, failure("timeout", { service = "task" })) end, task)
      end
    end
    return due_ms, act
  end

  -- Let one thing happen; false when nothing is due up to then.
  local function step(limit_ms)
    local task = ready_task()
    if task then
      run(task)
      return true
    end
    local due_ms, act = nearest_until(limit_ms)
    if not act then return false end
    mono_ms = math.max(mono_ms, due_ms)
    act()
    return true
  end

  local function pass_until(due_ms)
    while step(due_ms) do end
    mono_ms = math.max(mono_ms, due_ms)
  end

  -- The spec, or a coroutine that is not a task's own, waits: time passes.
  local function pass_until_ready(ready, what)
    while not ready() do
      if not step(math.huge) then error(what .. ": nothing is left that could end this wait", 3) end
    end
  end

  local function wait(due_ms, ready, what)
    local began_ms, task = mono_ms, current
    if task and coroutine.running() == task.co then
      task.due_ms, task.ready = due_ms, ready
      coroutine.yield(WAIT)
      task.waited_ms = task.waited_ms + mono_ms - began_ms
      return
    end
    if due_ms then pass_until(due_ms) else pass_until_ready(ready, what) end
    spec_waited_ms = spec_waited_ms + mono_ms - began_ms
  end

  -- ---- host.task ----

  local Handle = {}
  Handle.__index = Handle

  function Handle.join(handle)
    local task = handle.task
    task.joined = true
    if not task.ended then wait(nil, function() return task.ended end, "join") end
    if task.results then return unpack(task.results, 1, task.results.n) end
    return nil, task.problem
  end

  function Handle.cancel(handle)
    finish(handle.task, nil, failure("cancelled", { service = "task" }))
  end

  function Handle.ended(handle)
    return handle.task.ended == true
  end

  local task_api = {}

  function task_api.sleep(ms)
    if type(ms) ~= "number" or ms < 0 then error("milliseconds to sleep", 2) end
    wait(mono_ms + ms, nil, "sleep")
  end

  local started = {} -- tasks whose raise nobody may have seen

  function task_api.spawn_with(options, fn, ...)
    if type(fn) ~= "function" then error("a function expected, got " .. type(fn), 2) end
    local task = spawn(options, fn, ...)
    started[#started + 1] = task
    return setmetatable({ task = task }, Handle)
  end

  function task_api.semaphore(permits)
    local semaphore = {}
    function semaphore.with(_, fn)
      if permits < 1 then wait(nil, function() return permits > 0 end, "semaphore") end
      permits = permits - 1
      local results = pack(pcall(fn))
      permits = permits + 1
      if not results[1] then error(results[2], 0) end
      return unpack(results, 2, results.n)
    end
    return semaphore
  end

  function task_api.remaining_ms()
    return current and current.deadline_ms and math.max(0, current.deadline_ms - mono_ms) or nil
  end

  function task_api.waited_ms()
    return current and current.waited_ms or spec_waited_ms
  end

  -- ---- host.timer ----

  local function add_timer(delay_ms, every_ms, fn)
    local timer = { due_ms = mono_ms + delay_ms, every_ms = every_ms, fn = fn }
    timers[#timers + 1] = timer
    return { cancel = function() timer.due_ms, timer.every_ms = math.huge, nil end }
  end

  --- What takes the place of functions of the host: module → name → function.
  function self.replacements()
    return {
      time = { now = function() return base_s + mono_ms / 1000 end, monotonic_ms = function() return mono_ms end },
      task = task_api,
      timer = {
        after = function(delay_ms, fn) return add_timer(delay_ms, nil, fn) end,
        every = function(interval_ms, fn) return add_timer(interval_ms, interval_ms, fn) end,
      },
    }
  end

  -- ---- for the spec ----

  function self.monotonic_ms()
    return mono_ms
  end

  function self.now()
    return base_s + mono_ms / 1000
  end

  function self.set(now_s)
    base_s = now_s - mono_ms / 1000
  end

  function self.advance(seconds)
    pass_until(mono_ms + seconds * 1000)
  end

  --- Run `act` and let what it began come to its end, for up to a minute of the clock.
  function self.settle(act)
    local before, limit_ms = {}, mono_ms + SETTLE_MS
    for _, task in ipairs(tasks) do before[task] = true end
    local results = pack(act())
    local begun = {}
    for _, task in ipairs(tasks) do
      if not before[task] then begun[#begun + 1] = task end
    end
    for _, task in ipairs(begun) do
      while not task.ended and step(limit_ms) do end
    end
    return unpack(results, 1, results.n)
  end

  --- The task that computes at the moment, for who wants to see its stack; nil: the spec itself does.
  function self.running()
    return current and current.co
  end

  --- What was raised in a task that nobody joined.
  function self.unseen()
    for _, task in ipairs(started) do
      if task.raised and not task.joined then return task.label .. ": " .. task.raised end
    end
  end

  function self.reset()
    for _, task in ipairs({ unpack(tasks or {}) }) do finish(task, nil, failure("cancelled", { service = "task" })) end
    base_s, mono_ms, spec_waited_ms = START_S, 0, 0
    tasks, timers, current, started = {}, {}, nil, {}
  end

  self.reset()
  return self
end

return clock
