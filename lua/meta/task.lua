---@meta host.task

---@class HostTask
local task = {}
---Yields.
---@param ms number
function task.sleep(ms) end
---Run `fn(...)` in a task of its own, which outlives the caller unless `detached = false` is passed to spawn_with.
---@return TaskHandle
function task.spawn(fn, ...) end
---@param options {label?: string, deadline_ms?: integer, cpu_ms?: integer, memory_kb?: integer, detached?: boolean}  deadline from now; between two waits cpu_ms of computing, and memory_kb that the VM may grow by, garbage included; detached=false ends it with its parent
function task.spawn_with(options, fn, ...) end

---@class TaskHandle
local handle = {}
---Wait for its end: what it returned, or nil and a failure (code "script_error", "timeout", "cancelled"). Yields.
function handle:join() end
function handle:cancel() end

---Run functions side by side and wait for all: a list of results, one table {value, failure} each. Yields.
---@param fns fun()[]
function task.all(fns) end

---@param permits integer
---@return Semaphore
function task.semaphore(permits) end
---@class Semaphore
local semaphore = {}
---Run fn while holding a permit, given back in any end. Yields.
---@param fn fun(): ...
---@return ...
function semaphore:with(fn) end

---Of all tasks of this worker and generation that ask for the same key at once, one runs `fn` (in a task of its own, which outlives the
---asker), and all get its results. Yields.
---@param key string
---@param fn fun(): any, Failure?
---@return any, Failure?
function task.single_flight(key, fn) end

---Milliseconds left of this task's deadline; nil when it has none.
---@return number?
function task.remaining_ms() end
---Milliseconds this task has spent waiting so far: what passed less this is what it kept the worker busy.
---@return number
function task.waited_ms() end
---Run fn with a nearer deadline: nil and a failure "timeout" when it passes first. Yields.
---@param ms integer
---@param fn fun(): ...
function task.with_deadline(ms, fn) end

return task
