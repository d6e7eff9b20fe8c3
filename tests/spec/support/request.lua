--- Requests as lua/init.lua gets them, without a server.
local app = require "init"

local request = {}

local function find_route(method, path)
  for index, route in ipairs(app.routes) do
    local pattern = "^" .. route[2]:gsub("%-", "%%-"):gsub("{[%w_]+}", "([^/]+)") .. "$"
    local found = path:match(pattern)
    if route[1] == method and found then return index, route[2]:match "{([%w_]+)}", found end
  end
  return 0
end

--- @param method string
--- @param target string  path?query
--- @param options? {headers: table<string, string>?, body: string?, is_local: boolean?}
--- @return table response
function request.send(method, target, options)
  options = options or {}
  local headers = options.headers or {}
  local path, query = target:match "^([^?]*)%??(.*)$"
  local index, name, value = find_route(method, path)
  return app.dispatch({
    method = method, path = path, query_string = query, body = options.body or "", id = "spec-1",
    address = "127.0.0.1", scheme = "http", host = "127.0.0.1:8080", is_local = options.is_local or false, listener = 0,
    params = name and { [name] = host.http.unescape(value) } or {}, context = {},
    header = function(_, key) return headers[key] end,
    cookie = function(_, key) return headers.cookie and headers.cookie:match(key .. "=([^;]*)") end,
  }, index)
end

return request
