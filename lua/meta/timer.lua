---@meta host.timer
-- What lua/init.lua or its start() makes begins when the generation goes live, and so does all of every(): a canary only
-- runs what its requests ask of after().

---@class HostTimer
local timer = {}
---Run `fn` in a new task once. Cancelled with the generation.
---@param delay_ms integer
---@param fn fun()
---@return TimerHandle
function timer.after(delay_ms, fn) end
---Run `fn` in a new task again and again; a run that is still going is not overlapped.
---@return TimerHandle
function timer.every(interval_ms, fn) end

---@class TimerHandle
local handle = {}
function handle:cancel() end

return timer
