--- The plugins of this generation: loaded when this file is, so that a wrong one refuses the reload.
local host = host
local outbox_sender = require "services.outbox_sender"
local plugin_requests = require "services.plugin_requests"
local plugin_set = require "services.plugin_set"
local plugin_settings = require "services.plugin_settings"

local plugins = {}

local LOOK_MS = 200
local FLUSH_MS = 1000

plugins.world = plugin_set.world

local set, problems = plugin_set.load(host.config.plugins or {}, function(path) return host.config("plugins." .. path) end)
if not set then error(table.concat(problems, "\n"), 0) end
set:listen()
plugin_settings.declare(set.list)
for kind, about in pairs(set:deliveries()) do outbox_sender.register(kind, about) end

--- Their jobs, for services/jobs.lua.
function plugins.jobs()
  return set:jobs()
end

--- Add their routes to the table.
function plugins.add_routes(routes)
  return set:add_routes(routes)
end

--- See services/plugin_requests.lua.
function plugins.wrap(dispatch, options)
  return set:wrap(dispatch, options)
end

plugins.handle = plugin_requests.handle

local function wait_for_the_end()
  while not host.script.info().retired do host.task.sleep(LOOK_MS) end
  set:stop()
  set:flush()
end

--- Run every start(). An error refuses the generation.
function plugins.start()
  set:start()
  local is_serving = host.script.info().role == "serve"
  if is_serving then plugin_settings.watch() end
  if #set.list > 0 then host.timer.every(FLUSH_MS, function() set:flush() end) end
  if is_serving and set:any_with "stop" then host.task.spawn_with({ label = "end of plugins" }, wait_for_the_end) end
end

--- What is loaded, in order.
--- @return table[]
function plugins.about()
  return set:about()
end

return plugins
