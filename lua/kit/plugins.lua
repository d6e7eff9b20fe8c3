--- Loads plugins: plugins/NAME/plugin.lua of the bundle for every NAME of the setting `plugins`. Everything that is wrong
--- with any of them is found at once, as lines «file:line: what (expected …, got …)»; one wrong plugin refuses them all,
--- as a server without its guard is worse than the server that runs already. What they do at run time is the business of
--- services/plugins.lua; how one is written stands in docs/plugins.md.
local host = host
local lists = require "kit.lists"
local nearest = require "kit.nearest"
local plugin_config = require "kit.plugin_config"
local plugin_host = require "kit.plugin_host"
local plugin_order = require "kit.plugin_order"
local sorted_names = require "kit.sorted_names"

local plugins = {}

plugins.api = 1 -- what `api` of a plugin must say

local MEMBERS = {
  name = "string", version = "string", api = "number", about = "string", about_ru = "string", stage = "string",
  after = "table", before = "table", on_error = "string", budget = "table", config = "table", needs = "table",
  start = "function", stop = "function", on_request = "function", on_response = "function", after_response = "function",
  events = "table", jobs = "table", routes = "table", deliver = "function", admin = "table",
}
local REQUIRED = { "name", "version", "api", "stage" }
local FAILING_STAGES = { edge = true, auth = true, limit = true } -- a guard that fails must not let anybody pass
local SECONDS = { s = 1, m = 60, h = 3600, d = 86400 }

--- Seconds of "30s", "5m", "1h", "1d"; nil when it is none.
function plugins.seconds(text)
  local number, unit = tostring(text):match "^(%d+)([smhd])$"
  return number and tonumber(number) > 0 and tonumber(number) * SECONDS[unit] or nil
end

-- ---- the table a plugin is ----

-- The line on which a member of the table begins, as near as its text tells.
local function line_of(source, key)
  local number = 0
  for line in (source .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    if line:find("^%s*" .. key .. "%s*=") then return number end
  end
  return 1
end

local function check_members(made, add)
  for _, key in ipairs(sorted_names(made)) do
    local wanted = MEMBERS[key]
    if not wanted then
      local meant = nearest(key, sorted_names(MEMBERS))
      add(key, ("'%s' is no member of a plugin%s"):format(key, meant and (" (did you mean '%s'?)"):format(meant) or ""))
    elseif type(made[key]) ~= wanted then
      add(key, ("%s is of the wrong kind (expected a %s, got a %s)"):format(key, wanted, type(made[key])))
    end
  end
  for _, key in ipairs(REQUIRED) do
    if made[key] == nil then add(key, ("%s is missing (expected a %s)"):format(key, MEMBERS[key])) end
  end
end

local function check_values(made, name, add)
  if type(made.name) == "string" and made.name ~= name then
    add("name", ("name is not that of its folder (expected %s, got %s)"):format(name, made.name))
  end
  if type(made.api) == "number" and made.api ~= plugins.api then
    add("api", ("api is not that of this server (expected %d, got %s)"):format(plugins.api, made.api))
  end
  if type(made.version) == "string" and not made.version:find "^%d[%w.+-]*$" then
    add("version", ("version is wrong (expected one like 1.0.0, got %s)"):format(made.version))
  end
  if type(made.stage) == "string" and not plugin_order.rank(made.stage) then
    add("stage", ("stage is unknown (expected %s, got %s)"):format(table.concat(plugin_order.stages, " or "), made.stage))
  end
  if made.on_error ~= nil and made.on_error ~= "fail" and made.on_error ~= "skip" then
    add("on_error", ("on_error is unknown (expected fail or skip, got %s)"):format(tostring(made.on_error)))
  end
  if made.on_error == "skip" and made.stage == "auth" then
    add("on_error", "on_error is too lenient for the stage auth: a guard that fails lets nobody pass (expected fail, got skip)")
  end
end

local function check_plain(made, key, add)
  if type(made[key]) ~= "table" or lists.is_plain(made[key]) then return end
  add(key, ("%s is no list (expected %s = { …, … } without names inside)"):format(key, key))
end

local function check_list(made, key, allowed, add)
  if type(made[key]) ~= "table" then return end
  check_plain(made, key, add)
  for _, value in ipairs(made[key]) do
    if type(value) ~= "string" then
      add(key, ("%s holds a %s (expected texts)"):format(key, type(value)))
    elseif allowed and not lists.contains(allowed, value) then
      add(key, ("%s: there is no '%s' (expected %s)"):format(key, value, table.concat(allowed, ", ")))
    end
  end
end

local BUDGET_UNITS = { cpu_ms = "milliseconds", wall_ms = "milliseconds", mem_kb = "kilobytes" }

local function check_budget(made, add)
  for key, value in pairs(type(made.budget) == "table" and made.budget or {}) do
    local unit = BUDGET_UNITS[key]
    if not unit then
      add("budget", ("budget.%s is unknown (expected cpu_ms, wall_ms or mem_kb)"):format(tostring(key)))
    elseif type(value) ~= "number" or value ~= value or value < 1 then
      add("budget", ("budget.%s is wrong (expected %s from 1, got %s)"):format(key, unit, tostring(value)))
    end
  end
end

local function check_events(made, known, add)
  for _, event in ipairs(sorted_names(type(made.events) == "table" and made.events or {})) do
    if not lists.contains(known, event) then
      local meant = nearest(event, known)
      add("events", ("events: nobody tells of '%s'%s"):format(event, meant and (" (did you mean '%s'?)"):format(meant) or ""))
    elseif type(made.events[event]) ~= "function" then
      add("events", ("events[\"%s\"] is wrong (expected a function, got a %s)"):format(event, type(made.events[event])))
    end
  end
end

local function check_jobs(made, add)
  check_plain(made, "jobs", add)
  local seen = {}
  for index, job in ipairs(type(made.jobs) == "table" and made.jobs or {}) do
    local is_whole = type(job) == "table" and type(job.name) == "string" and type(job.run) == "function"
    if not is_whole or not plugins.seconds(job.every) then
      add("jobs", ("jobs[%d] is incomplete (expected { every = \"5m\", name = \"…\", run = function(self, conf) … end })"):format(index))
    elseif not job.name:find "^[%l%d_]+$" then
      add("jobs", ("jobs[%d]: the name is wrong (expected a-z, 0-9 and _, got %s)"):format(index, job.name))
    elseif seen[job.name] then
      add("jobs", ("jobs: two are called %s"):format(job.name))
    else
      seen[job.name] = true
    end
  end
end

local ACCESS = { public = true, driver = true, optional = true }
local METHODS = { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD" }

local function check_route(route, prefix)
  local is_whole = type(route) == "table" and type(route[1]) == "string" and type(route[2]) == "string"
    and type(route.handle) == "function" and ACCESS[route.access]
  if not is_whole then
    return (" is incomplete (expected { \"GET\", \"%s/…\", access = \"public\", %s })"):format(prefix,
      "handle = function(self, req, conf) … end")
  end
  if not lists.contains(METHODS, route[1]) then
    return (": there is no method '%s' (expected %s)"):format(route[1], table.concat(METHODS, ", "))
  end
  if route[2] ~= prefix and route[2]:sub(1, #prefix + 1) ~= prefix .. "/" then
    return (" is outside of the plugin's place (expected %s/…, got %s)"):format(prefix, route[2])
  end
end

local function check_routes(made, name, add)
  check_plain(made, "routes", add)
  for index, route in ipairs(type(made.routes) == "table" and made.routes or {}) do
    local wrong = check_route(route, "/plugins/" .. name)
    if wrong then add("routes", ("routes[%d]%s"):format(index, wrong)) end
  end
end

local function check_admin(made, add)
  for key, value in pairs(type(made.admin) == "table" and made.admin or {}) do
    if key ~= "status" then
      add("admin", ("admin.%s is unknown (expected status)"):format(tostring(key)))
    elseif type(value) ~= "function" then
      add("admin", ("admin.status is wrong (expected a function, got a %s)"):format(type(value)))
    end
  end
end

local function check_definition(made, name, world, add)
  check_members(made, add)
  check_values(made, name, add)
  check_list(made, "needs", plugin_host.capabilities(world.services), add)
  check_list(made, "after", nil, add)
  check_list(made, "before", nil, add)
  check_budget(made, add)
  check_events(made, world.events, add)
  check_jobs(made, add)
  check_routes(made, name, add)
  check_admin(made, add)
  for _, problem in ipairs(type(made.config) == "table" and plugin_config.check_schema(made.config) or {}) do add("config", problem) end
end

-- ---- one plugin ----

--- The plugin of a source text, checked but without settings.
--- @param world {events: string[], services: table<string, fun(name: string): table>}
--- @return table? plugin  {name, definition, environment, path}
--- @return string[]? problems
function plugins.read(name, path, source, world)
  local environment, problems = plugin_host.environment(), {}
  local chunk, problem = host.script.compile(source, path, environment)
  if not chunk then return nil, { problem } end
  local ok, made = pcall(chunk)
  if not ok then return nil, { tostring(made) } end
  if type(made) ~= "table" then return nil, { path .. ":1: a plugin must end with return { … }" } end
  check_definition(made, name, world, function(key, text)
    problems[#problems + 1] = ("%s:%d: %s"):format(path, line_of(source, key), text)
  end)
  if #problems > 0 then return nil, problems end
  return { name = name, definition = made, environment = environment, path = path }
end

--- Give a plugin its settings and its host.
--- @param given table
--- @param origin fun(key: string?): string  where a setting was written; nil: the plugin itself
--- @return string[] problems
function plugins.configure(plugin, given, origin, world)
  local made, problems = plugin.definition, {}
  local values, wrong = plugin_config.read(made.config or {}, given)
  for _, problem in ipairs(wrong) do
    problems[#problems + 1] = ("%s: plugins.%s.%s: %s"):format(origin(problem.key), plugin.name, problem.key, problem.text)
  end
  plugin.given, plugin.config = given, values
  plugin.on_error = made.on_error or FAILING_STAGES[made.stage] and "fail" or "skip"
  plugin_host.grant(plugin.environment, plugin.name, made.needs or {}, world.services)
  return problems
end

-- ---- all of them ----

local function append(list, more)
  for _, item in ipairs(more or {}) do list[#list + 1] = item end
end

local function names_there()
  local names = {}
  for _, path in ipairs(host.script.list "plugins") do
    names[#names + 1] = path:match "^plugins/([%w_]+)/plugin%.lua$"
  end
  return names
end

local function load_one(name, given, origin, world)
  local path = ("plugins/%s/plugin.lua"):format(name)
  local source = name:find "^[%l][%l%d_]*$" and host.script.read(path)
  local at = ("%s: plugins.%s: "):format(origin(name), name)
  if not source then
    local meant = nearest(name, names_there())
    return nil, { at .. ("there is no plugin of that name%s"):format(meant and (" (did you mean '%s'?)"):format(meant) or "") }
  end
  if type(given) ~= "table" then
    return nil, { at .. ("is of the wrong kind (expected its settings in { }, or false, got %s)"):format(tostring(given)) }
  end
  local plugin, problems = plugins.read(name, path, source, world)
  if not plugin then return nil, problems end
  problems = plugins.configure(plugin, given, function(key) return origin(name .. "." .. key) end, world)
  if #problems > 0 then return nil, problems end
  return plugin
end

local function in_order(by_name)
  local definitions = {}
  for name, plugin in pairs(by_name) do definitions[name] = plugin.definition end
  local order, cycle = plugin_order.sort(definitions)
  if not order then return nil, { "plugins: they wait for each other in a circle: " .. cycle } end
  local list = {}
  for index, name in ipairs(order) do
    list[index] = by_name[name]
    by_name[name].why = plugin_order.why(definitions, name)
  end
  return list
end

--- Load what the setting `plugins` names.
--- @param wanted table<string, table|false>
--- @param origin fun(path: string): string
--- @param world table  see read()
--- @return table[]? list  in the order of requests
--- @return string[]? problems
function plugins.load(wanted, origin, world)
  local by_name, problems = {}, {}
  for _, name in ipairs(sorted_names(wanted)) do
    local given = wanted[name]
    if given == nil then
      append(problems, { ("%s: plugins: holds a list (expected plugins by name: plugins = { cors = { … } })"):format(origin(name)) })
    elseif given ~= false then
      local plugin, wrong = load_one(name, given, origin, world)
      by_name[name] = plugin
      append(problems, wrong)
    end
  end
  if #problems > 0 then return nil, problems end
  return in_order(by_name)
end

return plugins
