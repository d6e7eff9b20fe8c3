---@meta host.script
-- For kit/ only: reading the bundle this generation was built from.

---@class HostScript
local script = {}
---@param path string   like "lua/web/views/cargo/card.html"
---@return string?
function script.read(path) end
---Paths of the bundle below a folder, sorted.
---@return string[]
function script.list(folder) end
---Compile text (never bytecode) with an environment.
---@return function? chunk
---@return string? problem   "file:line: message"
function script.compile(source, chunk_name, environment) end
---Call a pure function in a coroutine of its own: an error or a loop in it leaves the caller alive.
---@param label string   what the log calls it
---@param budget {warn_ms?: integer, kill_ms?: integer}  CPU time
---@param fn function
---@return any, Failure?   what fn returns; or nil and a failure (code "script_error", "script_timeout"; `stack`)
function script.guard(label, budget, fn, ...) end
---Generation number, bundle hash, role ("serve", "replay", "check", "test", …), version. `standby`: another generation is the live
---one, this one is being built or answers as a canary. `retired`: this generation was told to end (a reload, a drain): its
---timers and subscriptions have stopped, long tasks should come to an end.
---@return {generation: integer, hash: string, role: string, version: string, standby: boolean, retired: boolean}
function script.info() end
---Say that this generation made a mistake which no answer shows, because something else stepped in. Counts against a canary.
---@param text string   file:line and what is wrong, if it is known
function script.complain(text) end
---Ask the master of the running server one order of its control socket: `{command="reload"}`, `"status"`. The last
---answer says `ok`; a reload gives one answer per worker before it. Yields.
---@param order {command: string}
---@return table[]? answers
---@return Failure? failure   code "unavailable" outside of `fura serve`
function script.ask_master(order) end

return script
