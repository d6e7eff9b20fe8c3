--- One call of a plugin's function: its own error, budget, accounting and breaker.
local host = host
local alerts = require "services.alerts"
local failure = require "kit.failure"

local plugin_calls = {}

local FAILURES = 10  -- within the window they open the breaker
local WINDOW_S = 60
local PAUSE_S = 30   -- then one call tries again

-- ---- the breaker, one a plugin and worker ----

local function is_open(state, now_s)
  return state.open_until ~= nil and now_s < state.open_until
end

local CURE = ". Repair it or take it out of the setting plugins, then reload"

local function open(plugin, state, now_s)
  state.open_until, state.failures, state.opened = now_s + PAUSE_S, 0, state.opened + 1
  host.log.error("plugin stopped for a while", { plugin = plugin.name, pause_s = PAUSE_S, on_error = plugin.on_error })
  local effect = plugin.on_error == "fail" and "requests answer 503" or "it is left out"
  alerts.raise("plugin_stopped:" .. plugin.name, ("plugin %s fails again and again: %s%s"):format(plugin.name, effect, CURE),
    { plugin = plugin.name })
end

local function note_failure(plugin, now_s)
  local state = plugin.state
  if not state.window_ends or now_s > state.window_ends then
    state.failures, state.window_ends = 0, now_s + WINDOW_S
  end
  state.failures = state.failures + 1
  -- After a pause the first failure is enough.
  if state.failures >= FAILURES or state.open_until then open(plugin, state, now_s) end
end

-- ---- the call ----

local function in_own_task(plugin, hook, fn, ...)
  local budget = plugin.definition.budget
  local handle = host.task.spawn_with({ label = ("plugin %s %s"):format(plugin.name, hook), detached = false,
    deadline_ms = budget.wall_ms, cpu_ms = budget.cpu_ms, memory_kb = budget.mem_kb }, fn, ...)
  local result, problem = handle:join()
  if result == nil and type(problem) == "table" and problem.service == "task" then error(problem.text or problem.code, 0) end
  return result
end

-- Sums of a hook until the next flush(): counting every call by itself would cost more than most hooks.
local function sums_of(plugin, hook)
  local sums = plugin.sums[hook]
  if not sums then
    sums = { labels = { plugin = plugin.name, hook = hook }, calls = 0, wall_ms = 0, cpu_ms = 0 }
    plugin.sums[hook] = sums
  end
  return sums
end

local function account(plugin, hook, wall_ms, waited_ms)
  local sums = sums_of(plugin, hook)
  sums.calls, sums.wall_ms, sums.cpu_ms = sums.calls + 1, sums.wall_ms + wall_ms, sums.cpu_ms + math.max(0, wall_ms - waited_ms)
  return sums.labels
end

--- Give the sums of a plugin to the metrics.
function plugin_calls.flush(plugin)
  for _, sums in pairs(plugin.sums) do
    if sums.calls > 0 then
      host.metrics.count("plugin_calls_total", sums.labels, sums.calls)
      host.metrics.count("plugin_wall_seconds_total", sums.labels, sums.wall_ms / 1000)
      host.metrics.count("plugin_cpu_seconds_total", sums.labels, sums.cpu_ms / 1000)
      sums.calls, sums.wall_ms, sums.cpu_ms = 0, 0, 0
    end
  end
end

--- Call `fn(self, …, config)` of a plugin. A failure is its own: it is logged and counted. One that is switched off is
--- passed over.
--- @param plugin table   of kit.plugins
--- @param hook string    what metrics call it
--- @return any result
--- @return table? failure  `plugin_failed`; also while its breaker is open
function plugin_calls.run(plugin, hook, fn, ...)
  if plugin.is_off then return nil end
  local now_ms = host.time.monotonic_ms()
  if is_open(plugin.state, now_ms / 1000) then
    host.metrics.count("plugin_skipped_total", { plugin = plugin.name, hook = hook })
    return nil, failure("plugin_failed", { status = 503, text = plugin.name .. " is stopped for a while", retry_after_s = PAUSE_S })
  end
  local waited_ms = host.task.waited_ms()
  local ok, result
  if plugin.definition.budget then
    ok, result = pcall(in_own_task, plugin, hook, fn, plugin.self, ...)
  else
    ok, result = pcall(fn, plugin.self, ...)
  end
  local ended_ms = host.time.monotonic_ms()
  local labels = account(plugin, hook, ended_ms - now_ms, host.task.waited_ms() - waited_ms)
  if ok then
    if plugin.state.open_until then plugin.state.open_until = nil end
    return result
  end
  host.metrics.count("plugin_errors_total", labels)
  host.log.error("plugin failed", { plugin = plugin.name, hook = hook, error = tostring(result) })
  host.script.complain(("%s (plugin %s, %s)"):format(tostring(result), plugin.name, hook))
  plugin.state.errors, plugin.state.last_error = plugin.state.errors + 1, tostring(result)
  note_failure(plugin, ended_ms / 1000)
  return nil, failure("plugin_failed", { status = 503, text = ("%s: %s"):format(plugin.name, tostring(result)) })
end

--- What a freshly loaded plugin needs to be called.
function plugin_calls.prepare(plugin)
  plugin.self = { name = plugin.name }
  plugin.sums = {}
  plugin.state = { errors = 0, failures = 0, opened = 0 }
  return plugin
end

--- Is it left out at the moment?
function plugin_calls.is_stopped(plugin)
  return is_open(plugin.state, host.time.monotonic_ms() / 1000)
end

return plugin_calls
