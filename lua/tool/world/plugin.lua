--- Plugins in a spec: loaded as the server loads them (settings, needs, order, budgets), around an application that answers
--- what the spec says.
local host = host
local failure = require "kit.failure"
local headers_of = require "tool.world.headers"
local make_context = require "kit.context"
local plugin_requests = require "services.plugin_requests"
local plugin_set = require "services.plugin_set"
local events = require "services.events"
local problems = require "web.pages.problems"
local respond = require "kit.respond"

local plugin = {}

local Plugins = {}
Plugins.__index = Plugins
plugin.methods = Plugins -- what the annotations are compared with

-- Do something, let what it began end, and give what was counted to the metrics.
local function settle(self, act)
  local result, problem = self.world.clock.tasks:settle(act)
  self.set:flush()
  return result, problem
end

-- ---- requests ----

local KNOWN = { method = true, path = true, query_string = true, params = true, headers = true, body = true, json = true,
  id = true, address = true, scheme = true, host = true, route = true, is_local = true, driver_id = true, answer = true,
  takes_ms = true }

plugin.request_members = KNOWN

local function check_request(given)
  for key in pairs(given) do
    if not KNOWN[key] then error(("a request has no '%s'"):format(tostring(key)), 3) end
  end
end

-- As lua/init.lua gets it.
local function request_of(given)
  local headers = headers_of(given.headers)
  local request = { method = "GET", path = "/", query_string = "", params = {}, body = "", id = "spec-1",
    address = "203.0.113.1", scheme = "http", host = "127.0.0.1:8080", is_local = false, listener = 0, context = {} }
  for key, value in pairs(given) do
    if KNOWN[key] and key ~= "headers" and key ~= "driver_id" then request[key] = value end
  end
  request.route = given.route or request.path
  if given.json ~= nil then
    request.body = host.json.encode(given.json)
    headers["content-type"] = headers["content-type"] or "application/json"
  end
  function request.header(_, name) return headers[name] end
  function request.cookie(_, name) return headers.cookie and headers.cookie:match(name .. "=([^;]*)") end
  return request
end

local function refuse(request, problem)
  return respond.failure(make_context(request), problem, problems.toast)
end

local function finds(pattern, path)
  local words = pattern:gsub("[%-%.%+%*%?%^%$%(%)%%%[%]]", "%%%0"):gsub("{[%w_]+}", "([^/]+)")
  local found = { path:match("^" .. words .. "$") }
  if #found == 0 then return nil end
  local params, index = {}, 0
  for name in pattern:gmatch "{([%w_]+)}" do
    index = index + 1
    params[name] = host.http.unescape(found[index])
  end
  return params
end

-- A route that a plugin brings.
local function route_of(routes, request)
  for _, route in ipairs(routes) do
    local params = route[1] == request.method and finds(route[2], request.path)
    if params then
      request.params, request.route = params, route[2]
      return route
    end
  end
end

local function answer_of(answer)
  local response = { status = 200, headers = {} }
  for key, value in pairs(answer or {}) do response[key] = value end
  local headers = {}
  for name, value in pairs(response.headers) do headers[name] = value end
  response.headers = headers
  if response.json ~= nil then
    headers["Content-Type"] = headers["Content-Type"] or "application/json; charset=utf-8"
    response.body, response.json = host.json.encode(response.json), nil
  end
  return response
end

local function add_json(response)
  local kind = response.headers and response.headers["Content-Type"] or ""
  if type(response.body) == "string" and kind:find("json", 1, true) then response.json = host.json.decode(response.body) end
  return response
end

--- Send a request through the hooks. Behind them the application gives `given.answer`, or 200, after `given.takes_ms`.
--- @return table response  its `json` is the decoded body
--- @return boolean reached  did it come to the application (or to a route of a plugin)?
function Plugins:request(given)
  given = given or {}
  check_request(given)
  local request, reached = request_of(given), false
  local function application()
    reached = true
    request.driver_id = given.driver_id
    if given.takes_ms then host.task.sleep(given.takes_ms) end
    local route = route_of(self.routes, request)
    if not route then return answer_of(given.answer) end
    if route.access == "driver" and not given.driver_id then return refuse(request, failure "unauthorized") end
    return plugin_requests.handle(route, request, refuse)
  end
  local way = self.set:wrap(application, { skip = function() return false end, refuse = refuse })
  local response = settle(self, function() return way(request, 1) end)
  return add_json(response), reached
end

--- What becomes of an answer of the application.
function Plugins:response(answer, given)
  local asked = { answer = answer }
  for key, value in pairs(given or {}) do asked[key] = value end
  return (self:request(asked))
end

--- A request that is over: for what after_response does.
function Plugins:after(given)
  if not self.set:any_with "after_response" then error("it has no after_response", 2) end
  self:request(given)
end

-- ---- what else happens to a plugin ----

--- Tell of an event, as the application does.
function Plugins:event(name, payload)
  if not events.about[name] then error(("nobody tells of '%s'"):format(tostring(name)), 2) end
  settle(self, function() events.emit(name, payload or {}) end)
end

--- Run a job now.
--- @param name string  of the job; of several plugins also "plugin.job"
--- @return any result
--- @return table? failure
function Plugins:job(name)
  for _, job in ipairs(self.set:jobs()) do
    if job.name == name or job.name == tostring(self.name) .. "." .. name then
      return settle(self, job.run)
    end
  end
  error("there is no job " .. tostring(name), 2)
end

-- The entry of the outbox a spec means: one of world.outbox, or just its data.
local function entry_of(given, kinds)
  if type(given) == "table" and given.kind and given.payload then
    given.attempts = given.attempts + 1
    return given
  end
  local kind = next(kinds)
  return { id = 1, kind = kind, attempts = 1, uncertain = false, payload = { data = given } }
end

--- Deliver an entry of world.outbox (each time is one more attempt), or its data.
--- @return any result
--- @return table? failure
function Plugins:deliver(given)
  local kinds = self.set:deliveries()
  if not next(kinds) then error("it has no deliver", 2) end
  local entry = entry_of(given, kinds)
  local kind = kinds[entry.kind] or error(("nobody here delivers %s"):format(tostring(entry.kind)), 2)
  return settle(self, function() return kind.deliver(entry) end)
end

--- What it shows to people.
function Plugins:status()
  return self.set:about()[1].status
end

--- Names in the order in which requests meet them.
function Plugins:order()
  local names = {}
  for index, one in ipairs(self.set.list) do names[index] = one.name end
  return names
end

--- The last error that was raised in a hook and not asked for yet. One that stays unasked fails the spec.
function Plugins:error()
  local text
  for _, one in ipairs(self.loaded) do
    if one.state.errors > (self.seen[one] or 0) then text, self.seen[one] = one.state.last_error, one.state.errors end
  end
  return text
end

-- ---- beginning and end ----

-- Jobs run by the clock of the spec, the first time after their interval.
local function schedule(self)
  for _, job in ipairs(self.set:jobs()) do
    self.timers[#self.timers + 1] = host.timer.every(job.every_s * 1000, function()
      job.run()
      self.set:flush()
    end)
  end
end

--- As when a generation begins; loading did it already.
function Plugins:start()
  local set, wrong = plugin_set.load(self.wanted, function() return "settings in the spec" end)
  if not set then error(table.concat(wrong, "\n"), 0) end
  self.set, self.routes, self.timers = set, {}, {}
  set:add_routes(self.routes)
  for _, one in ipairs(set.list) do self.loaded[#self.loaded + 1] = one end
  set:start()
  self.stop_listening = set:listen()
  schedule(self)
  return self
end

--- As when a newer generation has taken over.
function Plugins:stop()
  for _, timer in ipairs(self.timers) do timer:cancel() end
  self.stop_listening()
  settle(self, function() self.set:stop() end)
end

--- @param world table
--- @param wanted table<string, table>
--- @param name? string  when it is one
function plugin.load(world, wanted, name)
  local made = { world = world, wanted = wanted, name = name, loaded = {}, seen = {} } -- seen: plugin → errors asked for
  return setmetatable(made, Plugins):start()
end

return plugin
