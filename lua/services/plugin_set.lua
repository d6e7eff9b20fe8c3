--- Plugins loaded together: their order, and all that they bring. services/plugins.lua holds the set of the generation; a
--- spec loads one of its own (lua/tool/world.lua).
local host = host
local events = require "services.events"
local failure = require "kit.failure"
local kit = require "kit.plugins"
local plugin_calls = require "services.plugin_calls"
local plugin_config = require "kit.plugin_config"
local plugin_requests = require "services.plugin_requests"
local plugin_settings = require "services.plugin_settings"
local plugin_world = require "services.plugin_world"

local plugin_set = {}

plugin_set.world = plugin_world

local STOP_LIMIT_MS = 5000

-- ---- loading ----

local Set = {}
Set.__index = Set

--- Load what a setting `plugins` names; nothing of it runs yet.
--- @param wanted table<string, table|false>
--- @param origin fun(path: string): string  where a setting was written
--- @return table? set
--- @return string[]? problems  all that is wrong with any of them
function plugin_set.load(wanted, origin)
  local list, problems = kit.load(wanted, origin, plugin_set.world)
  if not list then return nil, problems end
  for _, plugin in ipairs(list) do plugin_calls.prepare(plugin) end
  return setmetatable({ list = list }, Set)
end

--- Have them hear of events. Gives a function that ends it.
function Set:listen()
  local ends = {}
  for _, plugin in ipairs(self.list) do
    for event, fn in pairs(plugin.definition.events or {}) do
      ends[#ends + 1] = events.subscribe(event, function(payload)
        plugin_settings.wait()
        plugin_calls.run(plugin, "event", fn, payload, plugin.config, event)
      end)
    end
  end
  return function()
    for _, stop_listening in ipairs(ends) do stop_listening() end
  end
end

-- A plugin that gave up says so with permanent = true.
local function delivery_of(plugin)
  local deliver = plugin.definition.deliver
  return { deliver = function(entry)
    local problem
    plugin_settings.wait()
    if plugin.is_off then return nil, failure("plugin_off", { text = plugin.name .. " is switched off" }) end
    local result, failed = plugin_calls.run(plugin, "deliver", function(self, data, conf)
      local done, why = deliver(self, data, conf, { id = entry.id, attempt = entry.attempts, is_repeat = entry.uncertain })
      problem = not done and (why or failure "not_delivered") or nil
      return done
    end, entry.payload.data, plugin.config)
    return result or nil, failed or problem and failure.of(problem)
  end }
end

--- How their entries of the outbox are delivered: kind → as services/outbox_sender.lua takes it.
function Set:deliveries()
  local kinds = {}
  for _, plugin in ipairs(self.list) do
    if plugin.definition.deliver then kinds[plugin_world.kind_of(plugin.name)] = delivery_of(plugin) end
  end
  return kinds
end

--- Their jobs, for services/jobs.lua.
function Set:jobs()
  local jobs = {}
  for _, plugin in ipairs(self.list) do
    for _, job in ipairs(plugin.definition.jobs or {}) do
      jobs[#jobs + 1] = {
        name = plugin.name .. "." .. job.name, about = job.about or plugin.definition.about or "", every_s = kit.seconds(job.every),
        run = function()
          plugin_settings.wait()
          if plugin.is_off then return { skipped = "switched off" } end
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
function Set:add_routes(routes)
  for _, plugin in ipairs(self.list) do
    for _, route in ipairs(plugin.definition.routes or {}) do
      routes[#routes + 1] = { route[1], route[2], access = route.access, limit = route.access == "driver" and "default" or nil,
        plugin = plugin, handle = route.handle, unlisted = true }
    end
  end
end

--- See services/plugin_requests.lua.
function Set:wrap(dispatch, options)
  return plugin_requests.wrap(self.list, dispatch, options)
end

-- ---- beginning and end ----

--- Run every start(). An error refuses the generation.
function Set:start()
  for _, plugin in ipairs(self.list) do
    local ok, problem = plugin_settings.start(plugin)
    if not ok then error(problem, 0) end
  end
end

--- Run every stop(), from the last plugin to the first.
function Set:stop()
  for index = #self.list, 1, -1 do
    local plugin = self.list[index]
    if plugin.definition.stop then
      host.task.with_deadline(STOP_LIMIT_MS, function()
        plugin_calls.run(plugin, "stop", plugin.definition.stop, "retired", plugin.config)
        return true
      end)
    end
  end
end

--- Does one of them bring this member?
function Set:any_with(member)
  for _, plugin in ipairs(self.list) do
    if plugin.definition[member] then return true end
  end
  return false
end

--- Give what was counted to the metrics.
function Set:flush()
  for _, plugin in ipairs(self.list) do plugin_calls.flush(plugin) end
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
function Set:about()
  local shown = host.json.array {}
  for index, plugin in ipairs(self.list) do
    local made = plugin.definition
    shown[index] = {
      name = plugin.name, version = made.version, about = made.about or "", about_ru = made.about_ru, stage = made.stage,
      why = plugin.why, on_error = plugin.on_error, hooks = host.json.array(hooks_of(made)), needs = host.json.array(made.needs or {}),
      config = plugin_config.shown(made.config or {}, plugin.config),
      errors = plugin.state.errors, last_error = plugin.state.last_error, stopped = plugin_calls.is_stopped(plugin),
      is_off = plugin.is_off or nil, refused = plugin.refused,
      status = status_of(plugin),
    }
  end
  return shown
end

return plugin_set
