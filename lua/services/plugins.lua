--- The plugins of this generation: loaded when this file is, so that a wrong one refuses the reload.
local host = host
local alerts = require "services.alerts"
local events = require "services.events"
local failure = require "kit.failure"
local kit = require "kit.plugins"
local outbox = require "services.outbox"
local outbox_sender = require "services.outbox_sender"
local plugin_calls = require "services.plugin_calls"
local plugin_config = require "kit.plugin_config"
local plugin_requests = require "services.plugin_requests"
local telegram_api = require "services.telegram_api"

local plugins = {}

local STOP_LIMIT_MS = 5000
local LOOK_MS = 200
local FLUSH_MS = 1000

-- ---- what plugins may ask of the application, by what they name in `needs` ----

local function kind_of(name)
  return "plugin:" .. name
end

-- Add to the outbox: delivered by the plugin's deliver(), tried again after 2 s, 20 s, 5 min and 1 h. Entries of one
-- queue leave one after the other, in order; without a name each has a queue of its own.
local function add_to_outbox(name, entry)
  local queue = entry.queue or ("%s:%s"):format(kind_of(name), host.crypto.uuid())
  return host.pg.transaction(function(tx)
    local done, problem = outbox.add(tx, { kind = kind_of(name), chat_key = queue, payload = { data = entry.data } })
    return done and {} or nil, problem
  end)
end

local services = {
  alerts = function(name)
    return { raise = function(alert, text, fields) return alerts.raise(name .. ":" .. alert, text, fields) end }
  end,
  outbox = function(name)
    return { add = function(entry) return add_to_outbox(name, entry) end }
  end,
  telegram = function()
    return { call = telegram_api.call }
  end,
}

plugins.world = { events = events.names(), services = services }

-- ---- loading ----

local function listen(plugin)
  for event, fn in pairs(plugin.definition.events or {}) do
    events.subscribe(event, function(payload) plugin_calls.run(plugin, "event", fn, payload, plugin.config, event) end)
  end
end

-- A plugin that gave up says so with permanent = true.
local function take_deliveries(plugin)
  local deliver = plugin.definition.deliver
  if not deliver then return end
  outbox_sender.register(kind_of(plugin.name), { deliver = function(entry)
    local problem
    local result, failed = plugin_calls.run(plugin, "deliver", function(self, data, conf)
      local done, why = deliver(self, data, conf, { id = entry.id, attempt = entry.attempts, is_repeat = entry.uncertain })
      problem = not done and (why or failure "not_delivered") or nil
      return done
    end, entry.payload.data, plugin.config)
    return result or nil, failed or problem and failure.of(problem)
  end })
end

local list, problems = kit.load(host.config.plugins or {},
  function(path) return host.config("plugins." .. path) end, plugins.world)
if not list then error(table.concat(problems, "\n"), 0) end
for _, plugin in ipairs(list) do
  plugin_calls.prepare(plugin)
  listen(plugin)
  take_deliveries(plugin)
end

-- ---- what they bring ----

--- Their jobs, for services/jobs.lua.
function plugins.jobs()
  local jobs = {}
  for _, plugin in ipairs(list) do
    for _, job in ipairs(plugin.definition.jobs or {}) do
      jobs[#jobs + 1] = {
        name = plugin.name .. "." .. job.name, about = job.about or plugin.definition.about or "", every_s = kit.seconds(job.every),
        run = function()
          local result, problem = plugin_calls.run(plugin, "job", job.run, plugin.config)
          if problem then return nil, problem end
          return result or true
        end,
      }
    end
  end
  return jobs
end

--- Add their routes to the table.
function plugins.add_routes(routes)
  for _, plugin in ipairs(list) do
    for _, route in ipairs(plugin.definition.routes or {}) do
      routes[#routes + 1] = { route[1], route[2], access = route.access, limit = route.access == "driver" and "default" or nil,
        plugin = plugin, handle = route.handle, unlisted = true }
    end
  end
end

--- See services/plugin_requests.lua.
function plugins.wrap(dispatch, options)
  return plugin_requests.wrap(list, dispatch, options)
end

plugins.handle = plugin_requests.handle

-- ---- beginning and end ----

local function flush_all()
  for _, plugin in ipairs(list) do plugin_calls.flush(plugin) end
end

local function stop_all()
  for index = #list, 1, -1 do
    local plugin = list[index]
    if plugin.definition.stop then
      host.task.with_deadline(STOP_LIMIT_MS, function()
        plugin_calls.run(plugin, "stop", plugin.definition.stop, "retired", plugin.config)
        return true
      end)
    end
  end
end

local function wait_for_the_end()
  while not host.script.info().retired do host.task.sleep(LOOK_MS) end
  stop_all()
  flush_all()
end

local function any_with(member)
  for _, plugin in ipairs(list) do
    if plugin.definition[member] then return true end
  end
  return false
end

--- Run every start(). An error refuses the generation.
function plugins.start()
  for _, plugin in ipairs(list) do
    local start = plugin.definition.start
    if start then
      local ok, problem = pcall(start, plugin.self, plugin.config)
      if not ok then error(("plugins/%s/plugin.lua: start: %s"):format(plugin.name, tostring(problem)), 0) end
    end
  end
  if #list > 0 then host.timer.every(FLUSH_MS, flush_all) end
  if any_with "stop" then host.task.spawn_with({ label = "end of plugins" }, wait_for_the_end) end
end

-- ---- for people ----

local HOOKS = { "on_request", "on_response", "after_response", "deliver" }

local function hooks_of(definition)
  local names = {}
  for _, hook in ipairs(HOOKS) do
    if definition[hook] then names[#names + 1] = hook end
  end
  for event in pairs(definition.events or {}) do names[#names + 1] = event end
  for _, job in ipairs(definition.jobs or {}) do names[#names + 1] = ("job %s every %s"):format(job.name, job.every) end
  for _, route in ipairs(definition.routes or {}) do names[#names + 1] = route[1] .. " " .. route[2] end
  table.sort(names)
  return names
end

local function status_of(plugin)
  local status = plugin.definition.admin and plugin.definition.admin.status
  if not status then return nil end
  local ok, shown = pcall(status, plugin.self, plugin.config)
  return ok and shown or { error = tostring(shown) }
end

--- What is loaded, in order.
--- @return table[]
function plugins.about()
  local shown = host.json.array {}
  for index, plugin in ipairs(list) do
    local made = plugin.definition
    shown[index] = {
      name = plugin.name, version = made.version, about = made.about or "", stage = made.stage, why = plugin.why,
      on_error = plugin.on_error, hooks = host.json.array(hooks_of(made)), needs = host.json.array(made.needs or {}),
      config = plugin_config.shown(made.config or {}, plugin.config),
      errors = plugin.state.errors, last_error = plugin.state.last_error, stopped = plugin_calls.is_stopped(plugin),
      status = status_of(plugin),
    }
  end
  return shown
end

return plugins
