--- Tasks and timers over a clock that stands still: coroutines of ours, resumed one after the other in the order in which
--- they fall due, so a spec sees the same each time. What host.time, host.task and host.timer make of it is in clock.lua.
local failure = require "kit.failure"
local lists = require "tool.world.lists"

local SETTLE_MS = 60000

local Scheduler = {}
Scheduler.__index = Scheduler

local function pack(...)
  return { n = select("#", ...), ... }
end

local function cancelled()
  return failure("cancelled", { service = "task" })
end

-- ---- ends ----

--- End a task, with what it gave or with why there is nothing; those that belong to it end too.
function Scheduler:finish(task, results, problem)
  if task.ended then return end
  task.ended, task.results, task.problem = true, results, problem
  lists.forget(self.tasks, task)
  for _, clean in ipairs(task.cleanups or {}) do clean() end
  for _, child in ipairs({ unpack(self.tasks) }) do
    if child.parent == task then self:finish(child, nil, cancelled()) end
  end
end

function Scheduler:cancel(task)
  self:finish(task, nil, cancelled())
end

--- Run `clean` when the task that computes now ends in any way. Nothing when it is the spec itself.
function Scheduler:at_end(clean)
  local task = self.current
  if not task then return end
  task.cleanups = task.cleanups or {}
  task.cleanups[#task.cleanups + 1] = clean
end

-- ---- running ----

-- One stretch of a task, up to its next wait. With a budget it runs inside a task of the runtime, which stops it.
local function stretch(self, task, ...)
  if not task.cpu_ms and not task.memory_kb then return pack(coroutine.resume(task.co, ...)) end
  local outcome
  local handle = self.real_spawn({ label = task.label, cpu_ms = task.cpu_ms, memory_kb = task.memory_kb, detached = false }, function(...)
    outcome = pack(coroutine.resume(task.co, ...))
    return true
  end, ...)
  local whole, problem = handle:join()
  return whole and outcome or { n = 2, false, self.place_of(task.co) .. tostring(problem.text) }
end

local function run(self, task, ...)
  local before = self.current
  self.current, task.due_ms, task.ready = task, nil, nil
  local outcome = stretch(self, task, ...)
  self.current = before
  if task.ended then return end
  if not outcome[1] then
    task.raised = tostring(outcome[2])
    self:finish(task, nil, failure("script_error", { service = "task", text = task.raised }))
  elseif coroutine.status(task.co) == "dead" then
    self:finish(task, { n = outcome.n - 1, unpack(outcome, 2, outcome.n) })
  end
end

local function deadline_of(self, options)
  local own_ms = options.deadline_ms and self.now_ms + options.deadline_ms
  local outer_ms = options.detached == false and self.current and self.current.deadline_ms
  if own_ms and outer_ms then return math.min(own_ms, outer_ms) end
  return own_ms or outer_ms or nil
end

--- Start a task: it runs at once, up to its first wait.
--- @param options table  as host.task.spawn_with takes them
function Scheduler:spawn(options, fn, ...)
  local task = {
    label = options.label or "task", co = coroutine.create(fn), cpu_ms = options.cpu_ms, memory_kb = options.memory_kb, waited_ms = 0,
    parent = options.detached == false and self.current or nil, deadline_ms = deadline_of(self, options),
  }
  self.tasks[#self.tasks + 1] = task
  self.started[#self.started + 1] = task
  run(self, task, ...)
  return task
end

--- Run `fn` in a task after a time, and again after each `every_ms`.
function Scheduler:add_timer(delay_ms, every_ms, fn)
  local timer = { due_ms = self.now_ms + delay_ms, every_ms = every_ms, fn = fn }
  self.timers[#self.timers + 1] = timer
  return timer
end

function Scheduler:drop_timer(timer)
  lists.forget(self.timers, timer)
end

-- ---- what happens next ----

-- A run that still goes on is not overlapped.
local function fire(self, timer)
  if timer.every_ms then timer.due_ms = timer.due_ms + timer.every_ms else self:drop_timer(timer) end
  if timer.task and not timer.task.ended then return end
  timer.task = self:spawn({ label = "timer" }, timer.fn)
end

local function be_late(self, task)
  self:finish(task, nil, failure("timeout", { service = "task" }))
end

local function is_parked(task)
  return coroutine.status(task.co) == "suspended"
end

local function ready_task(self)
  for _, task in ipairs(self.tasks) do
    if task.ready and is_parked(task) and task.ready() then return task end
  end
end

-- The first to fall due up to a time: {at_ms, what to do, with whom}; nil when there is none.
local function nearest(self, limit_ms)
  local first
  local function consider(at_ms, act, subject)
    if at_ms and at_ms <= limit_ms and (not first or at_ms < first[1]) then first = { at_ms, act, subject } end
  end
  for _, timer in ipairs(self.timers) do consider(timer.due_ms, fire, timer) end
  for _, task in ipairs(self.tasks) do
    if is_parked(task) then
      consider(task.due_ms, run, task)
      consider(task.deadline_ms, be_late, task)
    end
  end
  return first
end

-- Let one thing happen; false when nothing is due up to then.
local function step(self, limit_ms)
  local task = ready_task(self)
  if task then
    run(self, task)
    return true
  end
  local first = nearest(self, limit_ms)
  if not first then return false end
  self.now_ms = math.max(self.now_ms, first[1])
  first[2](self, first[3])
  return true
end

--- Let time pass up to a moment.
function Scheduler:pass_until(due_ms)
  while step(self, due_ms) do end
  self.now_ms = math.max(self.now_ms, due_ms)
end

local function pass_until_ready(self, ready, what)
  while not ready() do
    if not step(self, math.huge) then error(what .. ": nothing is left that could end this wait", 0) end
  end
end

--- Wait until a moment, or until `ready()`. Where the spec itself waits, or a coroutine that is not a task's own, time passes.
--- @param due_ms number?
--- @param ready (fun(): boolean)?
--- @param what string
function Scheduler:wait(due_ms, ready, what)
  local began_ms, task = self.now_ms, self.current
  if task and coroutine.running() == task.co then
    task.due_ms, task.ready = due_ms, ready
    coroutine.yield()
    task.waited_ms = task.waited_ms + self.now_ms - began_ms
    return
  end
  if due_ms then self:pass_until(due_ms) else pass_until_ready(self, ready, what) end
  self.waited_ms = self.waited_ms + self.now_ms - began_ms
end

--- Run `act` and let what it began come to its end, for up to a minute of the clock.
function Scheduler:settle(act)
  local before, limit_ms = {}, self.now_ms + SETTLE_MS
  for _, task in ipairs(self.tasks) do before[task] = true end
  local results = pack(act())
  for _, task in ipairs({ unpack(self.tasks) }) do
    while not before[task] and not task.ended and step(self, limit_ms) do end
  end
  return unpack(results, 1, results.n)
end

--- What was raised in a task that nobody joined.
function Scheduler:unseen()
  for _, task in ipairs(self.started) do
    if task.raised and not task.joined then return task.label .. ": " .. task.raised end
  end
end

function Scheduler:reset()
  for _, task in ipairs({ unpack(self.tasks) }) do self:cancel(task) end
  self.now_ms, self.waited_ms, self.current = 0, 0, nil
  self.tasks, self.timers, self.started = {}, {}, {} -- each in the order in which they were made
end

local scheduler = {}

--- @param real_spawn function  host.task.spawn_with as it was: a budget of computing is kept by a task of the runtime
function scheduler.new(real_spawn)
  local made = setmetatable({ tasks = {}, real_spawn = real_spawn, place_of = function() return "" end }, Scheduler)
  made:reset()
  return made
end

return scheduler
