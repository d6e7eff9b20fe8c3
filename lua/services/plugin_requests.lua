--- The way of a request through the plugins: on_request from the first to the last, the application, then on_response
--- from the last back to the first, then after_response once the bytes are out.
local host = host
local failure = require "kit.failure"
local plugin_calls = require "services.plugin_calls"
local plugin_settings = require "services.plugin_settings"

local plugin_requests = {}

-- ---- what a hook sees of the request ----

local RAW = {}
local PASSED = { method = true, path = true, query_string = true, params = true, body = true, id = true, address = true,
  scheme = true, host = true, route = true, allow = true, is_local = true, driver_id = true }

local methods = {}

function methods:header(name)
  return self[RAW]:header(name)
end

function methods:cookie(name)
  return self[RAW]:cookie(name)
end

local request_meta = {
  __index = function(req, key)
    if PASSED[key] then return rawget(req, RAW)[key] end
    return methods[key] or error(("a request has no '%s'"):format(tostring(key)), 2)
  end,
  __newindex = function(_, key) error(("a request cannot be changed: keep '%s' in req.ctx[name]"):format(tostring(key)), 2) end,
  __metatable = false,
}

local function view(request)
  return setmetatable({ [RAW] = request, ctx = {}, took_ms = false }, request_meta)
end

-- After its answer the request is gone: what is left is what was looked up before.
local function keep(req)
  local kept = { ctx = req.ctx, took_ms = req.took_ms, user_agent = req:header "user-agent" }
  for _, key in ipairs { "method", "path", "route", "id", "address", "driver_id" } do kept[key] = req[key] end
  return kept
end

-- ---- answers of plugins ----

-- A hook's answer: { status, headers, body } where a table as body is JSON; or { problem = code, status, detail, headers }.
local function response_of(result, request, refuse)
  if result.problem then
    return refuse(request, { code = result.problem, status = result.status or 403, headers = result.headers,
      retry_after_s = result.retry_after_s, members = { detail = result.detail } })
  end
  local response = { status = result.status, headers = {}, body = result.body }
  if type(result.body) == "table" then
    response.headers["Content-Type"], response.body = "application/json; charset=utf-8", host.json.encode(result.body)
  end
  response.headers["Cache-Control"] = "no-store"
  for name, value in pairs(result.headers or {}) do response.headers[name] = value end
  return response
end

local function with_hook(list, hook)
  local found = {}
  for index, plugin in ipairs(list) do
    if plugin.definition[hook] then found[#found + 1] = { plugin = plugin, position = index, fn = plugin.definition[hook] } end
  end
  return found
end

-- ---- the three passes ----

-- nil when all let the request pass; else the response and the position of who answered.
local function ask(hooks, request, req, refuse)
  for _, hook in ipairs(hooks) do
    local plugin = hook.plugin
    local result, problem = plugin_calls.run(plugin, "on_request", hook.fn, req, plugin.config)
    if problem and plugin.on_error == "fail" then return refuse(request, problem), hook.position end
    if type(result) == "table" then return response_of(result, request, refuse), hook.position end
  end
end

-- Only of those the request came through.
local function dress(hooks, response, reached, request, req, refuse)
  response.headers, response.status = response.headers or {}, response.status or 200
  for index = #hooks, 1, -1 do
    local hook = hooks[index]
    if hook.position <= reached then
      local _, problem = plugin_calls.run(hook.plugin, "on_response", hook.fn, req, response, hook.plugin.config)
      if problem and hook.plugin.on_error == "fail" then response = refuse(request, problem) end
    end
  end
  return response
end

local function tell(hooks, req, response)
  for _, hook in ipairs(hooks) do
    plugin_calls.run(hook.plugin, "after_response", hook.fn, req, response, hook.plugin.config)
  end
end

-- The task begins to run at once; its first wait lets the answer out.
local function tell_later(hooks, req, response)
  local kept = keep(req)
  local seen = { status = response.status, headers = response.headers }
  local function begin()
    host.task.spawn_with({ label = "after " .. tostring(kept.route or kept.path) }, function()
      host.task.sleep(0)
      tell(hooks, kept, seen)
    end)
  end
  local stream = response.stream
  if not stream then return begin() end
  response.stream = function(write)
    stream(write)
    begin()
  end
end

--- `dispatch` with the plugins around it; `dispatch` itself when none of them looks at requests.
--- @param list table[]     plugins in order
--- @param dispatch fun(request: Request, index: integer): Response
--- @param options {skip: (fun(request: Request, index: integer): boolean), refuse: (fun(request: Request, failure: table): Response)}
function plugin_requests.wrap(list, dispatch, options)
  local before, after, later = with_hook(list, "on_request"), with_hook(list, "on_response"), with_hook(list, "after_response")
  if #before + #after + #later == 0 then return dispatch end
  local last, refuse = #list, options.refuse
  return function(request, index)
    if options.skip(request, index) then return dispatch(request, index) end
    plugin_settings.wait()
    local started_ms, req = host.time.monotonic_ms(), view(request)
    local response, reached = ask(before, request, req, refuse)
    response = response or dispatch(request, index)
    rawset(req, "took_ms", host.time.monotonic_ms() - started_ms)
    if #after > 0 then response = dress(after, response, reached or last, request, req, refuse) end
    if #later > 0 then tell_later(later, req, response) end
    return response
  end
end

--- What a route of a plugin does.
function plugin_requests.handle(route, request, refuse)
  local plugin = route.plugin
  plugin_settings.wait()
  if plugin.is_off then return refuse(request, failure "not_found") end
  local result, problem = plugin_calls.run(plugin, "route", route.handle, view(request), plugin.config)
  if problem then return refuse(request, problem) end
  if type(result) ~= "table" then return { status = 204, headers = { ["Cache-Control"] = "no-store" } } end
  return response_of(result, request, refuse)
end

return plugin_requests
