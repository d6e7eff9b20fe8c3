--- One plugin in a spec, without the application around it, its `host` replaced where the spec says so:
---
---   local fixture = require "services.plugin_fixture"
---   local cors = fixture.load("cors", { origins = { "https://a.example" } })
---   local res = cors:request({ method = "OPTIONS", headers = { origin = "https://a.example" } })
---
--- `fakes` are modules of host for it: { http = { request = function(asked) … end } }; its log lines are kept in `logged`.
local host = host
local events = require "services.events"
local kit = require "kit.plugins"

local fixture = {}

local Fixture = {}
Fixture.__index = Fixture

local CAPABILITIES = { "alerts", "http", "outbox", "pg", "redis", "shared", "task", "telegram", "timer" }

-- Any capability may be asked for; one without a fake raises when it is used.
local function missing(name)
  return setmetatable({}, { __index = function(_, key) error(("no fake was given for host.%s.%s"):format(name, key), 2) end })
end

local function services_of(fakes)
  local services = { http = function() return { address_in = host.http.address_in } end }
  for _, name in ipairs(CAPABILITIES) do
    local known = services[name]
    services[name] = function() return fakes[name] or known and known() or missing(name) end
  end
  return services
end

local function logger(lines)
  local log = {}
  for _, level in ipairs { "debug", "info", "warn", "error" } do
    log[level] = function(message, fields) lines[#lines + 1] = { level = level, message = message, fields = fields or {} } end
  end
  return log
end

local sources = {}

--- Take this text for a plugin instead of the bundle's.
function fixture.use(name, source)
  sources[name] = source
end

--- @param name string
--- @param config? table
--- @param fakes? table<string, table>
--- @return table fixture  {plugin, logged}
function fixture.load(name, config, fakes)
  local path = ("plugins/%s/plugin.lua"):format(name)
  local world = { events = events.names(), services = services_of(fakes or {}) }
  local plugin, problems = kit.read(name, path, sources[name] or host.script.read(path) or error("there is no " .. path, 2), world)
  if not plugin then error(table.concat(problems, "\n"), 0) end
  problems = kit.configure(plugin, config or {}, function() return "spec" end, world)
  if #problems > 0 then error(table.concat(problems, "\n"), 0) end
  local made = setmetatable({ plugin = plugin, self = { name = name }, logged = {} }, Fixture)
  local modules = plugin.environment.host
  rawset(modules, "log", fakes and fakes.log or logger(made.logged))
  for _, module in ipairs { "time", "json", "crypto", "metrics" } do
    if fakes and fakes[module] then rawset(modules, module, setmetatable(fakes[module], { __index = host[module] })) end
  end
  if plugin.definition.start then plugin.definition.start(made.self, plugin.config) end
  return made
end

local function request_of(given)
  local headers, req = given.headers or {}, { ctx = {}, params = {}, path = "/", method = "GET", query_string = "", body = "",
    id = "spec-1", address = "203.0.113.1", scheme = "http", host = "127.0.0.1:8080", took_ms = 0 }
  for key, value in pairs(given) do req[key] = value end
  function req.header(_, key) return headers[key:lower()] end
  function req.cookie() return nil end
  return req
end

--- Send a request through its hooks. The application behind it answers `given.answer`, or 200.
--- @return table response  of on_request when it answered, else what the hooks made of the application's
function Fixture:request(given)
  local hooks, conf, req = self.plugin.definition, self.plugin.config, request_of(given)
  local answered = hooks.on_request and hooks.on_request(self.self, req, conf)
  local res = answered or given.answer or { status = 200 }
  res.headers = res.headers or {}
  if hooks.on_response then hooks.on_response(self.self, req, res, conf) end
  if hooks.after_response then hooks.after_response(self.self, req, res, conf) end
  return res, answered ~= nil
end

--- Tell it of an event.
function Fixture:event(name, payload)
  return self.plugin.definition.events[name](self.self, payload, self.plugin.config, name)
end

--- Run one of its jobs now.
function Fixture:job(name)
  for _, job in ipairs(self.plugin.definition.jobs or {}) do
    if job.name == name then return job.run(self.self, self.plugin.config) end
  end
  error("it has no job " .. name, 2)
end

--- Deliver an entry of its outbox.
function Fixture:deliver(data, attempt)
  return self.plugin.definition.deliver(self.self, data, self.plugin.config, attempt or { id = 1, attempt = 1, is_repeat = false })
end

return fixture
