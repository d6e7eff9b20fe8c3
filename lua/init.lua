--- The application: what a generation loads, and the way of every request through it:
--- who asks → how often → what they ask → the contract → JSON or HTML.
require "survey" -- what is wrong is said of all that people edit, not of the first alone
local host = host
local access = require "kit.access"
local breaker = require "services.breaker"
local cache = require "kit.cache"
local cargo_token = require "services.cargo_token"
local check = require "check"
local check_session = require "contracts.auth.check_session"
local events = require "services.events"
local failure = require "kit.failure"
local input = require "kit.input"
local jobs = require "services.jobs"
local key_rotation = require "services.key_rotation"
local make_context = require "kit.context"
local nodes = require "services.nodes"
local outbox = require "services.outbox"
local openapi = require "kit.openapi"
local panel = require "web.admin.panel"
local plugins = require "services.plugins"
local problems = require "web.pages.problems"
local replay = require "kit.replay"
local rate_limit = require "services.rate_limit"
local respond = require "kit.respond"
local routes = require "routes"
local rules = require "kit.rules"
local sessions = require "services.sessions"
local settings = require "services.settings"
local subscriptions = require "services.subscriptions"

-- ---- who ----

-- Fill the context with the driver of the request's token. nil and a failure when there is none.
local function authenticate(request, route, context)
  local token, via = access.token(request)
  local replay_of = request.replay_of -- only `fura replay` has it, and no token
  if not token and not replay_of then return nil, failure "unauthorized" end
  local session, problem = check_session.run({ token = token, replay_of = replay_of }, context)
  if not session then return nil, problem end
  if session.read_only and not (route.read_only and via == "bearer") then return nil, failure "forbidden" end
  local ours
  ours, problem = access.check_origin(request, via)
  if not ours then return nil, problem end
  context.driver_id, context.first_name, context.sid = session.driver_id, session.first_name, session.sid
  context.fresh_token, context.read_only = session.refreshed_token, session.read_only
  request.driver_id = session.driver_id
  return true
end

local function admit(request, route, context)
  if route.access == "public" then return true end
  local ok, problem = authenticate(request, route, context)
  if not ok then return route.access == "optional" or nil, problem end
  if route.limit then return rate_limit.take(route.limit, context.driver_id) end
  return true
end

-- ---- what ----

-- Reading a query depends on nothing but its text, so it is done once for each.
local read_queries = cache.new { max = 4000 }

local function read_query(request, route)
  local key = route[2] .. "?" .. request.query_string
  local known = read_queries:get(key)
  if known then return known[1], known[2] end
  local values, problem = input.query(request.query_string)
  local read
  if values then read, problem = route.contract:read(values) end
  read_queries:set(key, { read, problem })
  return read, problem
end

-- What comes beside the body: parameters of the path, and the headers that the route names.
local function add_beside(values, request, route)
  for name, value in pairs(request.params) do values[name] = value end
  for name, header in pairs(route.headers or {}) do values[name] = request:header(header) end
  return values
end

local function init_data_beside(request, route)
  local authorization = route.init_data_header and request:header "authorization"
  return authorization and authorization:match "^[Tt][Mm][Aa] (.+)$" or nil
end

-- Some clients call JSON also what they do not send: an empty body is wrong only where one is needed.
local function read_body(request, route)
  if route.raw_body then return route.contract:read(add_beside({ body = request.body }, request, route)) end
  local init_data, values, problem = init_data_beside(request, route), {}, nil
  local is_needed = not init_data and next(route.contract.input) ~= nil
  if is_needed or request.body ~= "" then values, problem = input.body(request) end
  if not values then return nil, problem end
  add_beside(values, request, route)
  values.init_data = values.init_data or init_data
  return route.contract:read(values)
end

local function read_input(request, route)
  if request.method ~= "GET" and request.method ~= "HEAD" then return read_body(request, route) end
  if route[2]:find("{", 1, true) then return route.contract:read(request.params) end
  return read_query(request, route)
end

-- ---- answers ----

local function answer(route, output, context)
  if route.ends_session then context.fresh_token = nil end
  local headers = output.headers
  if route.ends_session then headers = { ["Set-Cookie"] = respond.session_cookie("", 0) } end
  if route.status == 204 then return respond.empty(context, 204, headers) end
  if context.wants == "html" and route.page then
    local markup, more = route.page(output, context)
    for name, value in pairs(headers or {}) do
      more = more or {}
      more[name] = value
    end
    return respond.html(context, markup, { headers = more, status = context.status, revalidate = route.revalidate })
  end
  return respond.json(context, output,
    { fields = route.contract.output, headers = headers, status = context.status, revalidate = route.revalidate })
end

local function refuse(route, problem, context)
  return respond.failure(context, problem, route and route.problem or problems.toast)
end

local function run_contract(request, route, context)
  local read, problem = read_input(request, route)
  if not read then return refuse(route, problem, context) end
  local output
  output, problem = route.contract:run_checked(read, context)
  if not output then return refuse(route, problem, context) end
  return answer(route, output, context)
end

local METRICS_LISTENER = 1 -- what Request.listener says of FURA_METRICS_LISTEN

local function show_metrics(request, context)
  if host.config.env == "production" and request.listener ~= METRICS_LISTENER then
    return refuse(nil, failure "not_found", context)
  end
  return { headers = { ["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8", ["Cache-Control"] = "no-store" },
    body = host.metrics.render() }
end

-- No route: another method would do, or there is no such path.
local function answer_unmatched(request, context)
  if request.allow and request.method == "OPTIONS" then return respond.empty(context, 204, { Allow = request.allow }) end
  if request.path:find "^/admin/" then return panel.unmatched(request, context) end
  if request.allow then return refuse(nil, failure("method_not_allowed", { headers = { Allow = request.allow } }), context) end
  if context.wants == "html" and not context.is_htmx then
    return respond.failure(context, failure "not_found", problems.whole_page)
  end
  return refuse(nil, failure "not_found", context)
end

-- In the name of a plugin.
local function refuse_plainly(request, problem)
  return respond.failure(make_context(request), problem, problems.of_plugin)
end

-- Probes and figures must not depend on plugins.
local function is_operation(request, index)
  local route = routes[index]
  return request.listener == METRICS_LISTENER or route ~= nil and route.operations == true
end

--- @param request Request
--- @param index integer  of `routes`; 0 when none fits
--- @return Response
local function dispatch(request, index)
  rules.remember()
  local context, route = make_context(request), routes[index]
  if not route or request.listener == METRICS_LISTENER and not route.operations then
    return answer_unmatched(request, context)
  end
  if route.access == "metrics" then return show_metrics(request, context) end
  if route.panel then return panel.answer(request, route, context) end
  if route.knows_admins then context.admin_token = panel.token(request) end
  local ok, problem = admit(request, route, context)
  if not ok then return refuse(route, problem, context) end
  if route.contract then return run_contract(request, route, context) end
  if route.plugin then return plugins.handle(route, request, refuse_plainly) end
  context.query = input.query(request.query_string) or {}
  local markup, headers = route.page(nil, context)
  return respond.html(context, markup, { headers = headers })
end

-- ---- fura replay ----

-- What differs between two answers to the same request without meaning anything.
local VOLATILE = {
  members = { request_id = true, cache = true, fetched_at = true, generated_at = true, started_at = true, uptime_s = true },
  markup = {},
}

-- Fields that contracts mark as secrets are not recorded.
local function hide_secrets(list)
  for _, route in ipairs(list) do
    local hidden = {}
    for name, field in pairs(route.contract and route.contract.input or {}) do
      if field.secret then hidden[#hidden + 1] = name end
    end
    route.replay_hides = hidden
  end
end
hide_secrets(routes)

jobs.define(require "jobs")
jobs.define(plugins.jobs())
plugins.add_routes(routes)
openapi.publish(routes)

-- What commands may ask of a running server (lua/commands).
local calls = {
  ["jobs.list"] = jobs.list,
  ["jobs.run"] = function(asked) return jobs.run_now(asked.name) end,
  ["plugins.list"] = plugins.about,
  ["rules.errors"] = rules.errors,
  reload_rejected = function(outcome)
    events.emit("reload.rejected", outcome)
    return true
  end,
}

-- Whose request it is, for a canary: the driver's id, nil when nobody knows, false for what a canary must not get: the
-- panel, which withdraws it, probes, and the notices of other services.
local function audience(request, index)
  local route = routes[index]
  if is_operation(request, index) or route and (route.panel or route.raw_body) then return false end
  return sessions.driver_of((access.token(request)))
end

-- A script raised or was stopped in the middle of a request.
local function failed(about)
  events.emit("request.failed", about)
end

rules.watch(function(about) events.emit("rule.failed", about) end)

local FLUSH_MS = 1000

-- Once a worker, before the generation is accepted: nothing here may wait for the outside world.
local function start()
  plugins.start()
  if host.script.info().role ~= "serve" then return end
  host.timer.after(0, rules.remember) -- when it goes live: its successor may need its rules before it has served a request
  host.timer.every(FLUSH_MS, rules.flush)
  breaker.start { "cargotech", "yookassa" }
  sessions.watch_redis()
  nodes.start()
  jobs.start()
  outbox.start()
  settings.start()
  key_rotation.start()
  subscriptions.start()
  host.task.spawn(function()
    local token, problem = cargo_token.get()
    if not token then host.log.warn("no CargoTech token yet", { failure = tostring(problem) }) end
  end)
end

return {
  routes = routes, dispatch = plugins.wrap(dispatch, { skip = is_operation, refuse = refuse_plainly }), start = start, calls = calls,
  failed = failed, check = check, audience = audience, replay = function(asked, tools) return replay.run(asked, tools, VOLATILE) end,
}
