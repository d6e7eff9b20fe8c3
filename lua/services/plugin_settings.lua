--- What the panel sets of plugins: the setting `plugins.NAME.KEY` beats the conf file, `plugins.NAME` = false switches a
--- plugin off. Every worker takes a change over by itself: the plugin's next call gets the new settings, and one with a
--- start() begins anew with them. What its schema or its start() refuses is left out, and said: the plugin goes on with
--- what it had, as no stored value may keep a server from running.
local host = host
local alerts = require "services.alerts"
local failure = require "kit.failure"
local plugin_config = require "kit.plugin_config"
local settings = require "services.settings"

local plugin_settings = {}

local START_LIMIT_MS = 5000
local RETRY_MS = 10000
local BUDGET = { warn_ms = 50, kill_ms = 500 }
local KINDS = { string = "text", url = "text", secret = "secret", integer = "integer", boolean = "boolean", number = "json", list = "json" }

local list = {} -- the plugins of this generation

--- Name of the setting that overrides `key`; without a key, of the switch. nil when no setting can be called so.
function plugin_settings.name(plugin_name, key)
  local name = key and ("plugins.%s.%s"):format(plugin_name, key) or "plugins." .. plugin_name
  return #name <= 100 and name:find "^[a-z][a-z0-9_.]*$" and name or nil
end

-- ---- values ----

local function schema_of(plugin)
  return plugin.definition.config or {}
end

local function with(plugin, overrides)
  local given = {}
  for key, value in pairs(plugin.given) do given[key] = value end
  for key, value in pairs(overrides) do given[key] = value end
  return given
end

--- The settings a plugin would have: its conf file's with these on top.
--- @return table? config
--- @return {key: string, text: string, code: string}[] problems
function plugin_settings.read(plugin, overrides)
  local read, problem = host.script.guard("settings of plugin " .. plugin.name, BUDGET, function() -- its check() is its own code
    local config, problems = plugin_config.read(schema_of(plugin), with(plugin, overrides))
    return { config, problems }
  end)
  if not read then return nil, { { key = "", text = tostring(problem.text), code = "check" } } end
  if #read[2] > 0 then return nil, read[2] end
  return read[1], {}
end

--- What is stored for it, as this worker holds it: key → value, secrets in plain.
function plugin_settings.stored(plugin)
  local held = {}
  for key in pairs(schema_of(plugin)) do
    local name = plugin_settings.name(plugin.name, key)
    if name then held[key] = settings.get(name) end
  end
  return held
end

-- ---- beginning and ending ----

-- Handles of what a start() began, so that beginning anew leaves nothing of before behind.
local function keep_handles(plugin)
  for _, module in ipairs { "timer", "task" } do
    local functions = rawget(plugin.environment.host, module) or {}
    for _, name in ipairs { "after", "every", "spawn", "spawn_with" } do
      local make = functions[name]
      if make then
        functions[name] = function(...)
          local handle, begun = make(...), plugin.begun
          if begun then begun[#begun + 1] = handle end
          return handle
        end
      end
    end
  end
end

-- Run a plugin's start() with settings: {self, config, handles}, or nil and what went wrong.
local function begin(plugin, config)
  local run = { self = { name = plugin.name }, config = config, handles = {} }
  plugin.begun = run.handles
  local ok, problem = true, nil
  local done, late = host.task.with_deadline(START_LIMIT_MS, function()
    ok, problem = pcall(plugin.definition.start, run.self, config)
    return true
  end)
  plugin.begun = nil
  if done and ok then return run end
  for _, handle in ipairs(run.handles) do handle:cancel() end
  return nil, ("plugins/%s/plugin.lua: start: %s"):format(plugin.name, tostring(done and problem or late))
end

local function finish(plugin, run)
  for _, handle in ipairs(run.handles) do handle:cancel() end
  local stop = plugin.definition.stop
  if not stop then return end
  host.task.with_deadline(START_LIMIT_MS, function()
    local ok, problem = pcall(stop, run.self, "settings", run.config)
    if not ok then host.log.error("plugin failed", { plugin = plugin.name, hook = "stop", error = tostring(problem) }) end
    return true
  end)
end

--- Begin with the settings of the conf file. nil and what the plugin's start() raised.
function plugin_settings.start(plugin)
  if not plugin.definition.start then return true end
  local run, problem = begin(plugin, plugin.config)
  if not run then return nil, problem end
  plugin.self, plugin.run = run.self, run
  return true
end

--- Would these overrides do? Reads them, and starts the plugin with them on trial. Nothing of it stays.
--- @return {key: string, text: string, code: string}[] problems
function plugin_settings.try(plugin, overrides)
  local config, problems = plugin_settings.read(plugin, overrides)
  if not config or not plugin.definition.start then return problems end
  local run, problem = begin(plugin, config)
  if not run then return { { key = "", text = problem, code = "start" } } end
  finish(plugin, run)
  return {}
end

-- ---- taking changes over ----

local wanted = 0
local is_retry_due = false

local function sentence(problems)
  local lines = {}
  for i, problem in ipairs(problems) do
    lines[i] = problem.key == "" and problem.text or ("%s: %s"):format(problem.key, problem.text)
  end
  return table.concat(lines, "; ")
end

local catch_up

local function try_later(plugin)
  plugin.seen = nil
  if is_retry_due then return end
  is_retry_due = true
  host.timer.after(RETRY_MS, function()
    is_retry_due, wanted = false, wanted + 1
    catch_up()
  end)
end

local function refuse(plugin, why)
  if plugin.refused ~= why then
    host.log.error("stored settings of a plugin are not used", { plugin = plugin.name, reason = why })
    alerts.raise("plugin_settings:" .. plugin.name, ("the stored settings of plugin %s are not used: %s"):format(plugin.name, why),
      { plugin = plugin.name })
  end
  plugin.refused = why
end

local function adopt(plugin)
  plugin.is_off = settings.get(plugin_settings.name(plugin.name)) == false
  local overrides = plugin_settings.stored(plugin)
  local seen = host.json.encode(overrides, { sorted = true })
  if seen == plugin.seen then return end
  plugin.seen = seen
  local config, problems = plugin_settings.read(plugin, overrides)
  if not config then return refuse(plugin, sentence(problems)) end
  if plugin.definition.start then
    local run, problem = begin(plugin, config)
    if not run then
      try_later(plugin)
      return refuse(plugin, problem)
    end
    local before = plugin.run
    plugin.self, plugin.run = run.self, run
    if before then finish(plugin, before) end
  end
  plugin.config, plugin.refused = config, nil
end

function catch_up()
  return host.task.single_flight("plugin settings", function()
    repeat
      local target = wanted
      for _, plugin in ipairs(list) do adopt(plugin) end
    until target == wanted
    return true
  end)
end

local must_wait = false

--- Before a plugin's first call: what is stored must be known, or a reload would open a gap in a guard. Without a
--- database the conf file is in force until there is one.
function plugin_settings.wait()
  if not must_wait or not settings.are_read() then return end
  catch_up()
  must_wait = false
end

-- ---- telling of them ----

local function declare(plugin)
  plugin.seen = "{}"
  keep_handles(plugin)
  local switch = plugin_settings.name(plugin.name)
  settings.known[switch] = { kind = "boolean", about = ("false: the plugin %s is switched off"):format(plugin.name) }
  for key, field in pairs(schema_of(plugin)) do
    local name = plugin_settings.name(plugin.name, key)
    if name then
      settings.known[name] = { kind = KINDS[field.type], judges_kind = true, about = field.doc or "",
        check = function(value) return (plugin_config.judge(value, field)) end }
    end
  end
end

--- Once a generation: what there is to set.
--- @param plugins table[]  of kit.plugins, prepared
function plugin_settings.declare(plugins)
  list = plugins
  for _, plugin in ipairs(list) do declare(plugin) end
  settings.watch(function()
    wanted = wanted + 1
    host.task.spawn(catch_up)
  end)
end

--- Once a worker that serves.
function plugin_settings.watch()
  must_wait = true
end

--- A plugin of this generation.
--- @return table?
--- @return table? failure  not_found
function plugin_settings.find(name)
  for _, plugin in ipairs(list) do
    if plugin.name == name then return plugin end
  end
  return nil, failure "not_found"
end

return plugin_settings
