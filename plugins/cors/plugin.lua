--- Lets pages of other sites call the API from a browser: the headers of CORS, and the answer to its preflight.

local function allowed(origin, conf)
  for _, known in ipairs(conf.origins) do
    if known == "*" or known == origin then return true end
  end
  return false
end

-- A wildcard with credentials would let every site act as the driver; browsers refuse it too.
local function add_headers(headers, origin, conf)
  headers["Access-Control-Allow-Origin"] = origin
  headers.Vary = headers.Vary and headers.Vary .. ", Origin" or "Origin"
  if conf.credentials then headers["Access-Control-Allow-Credentials"] = "true" end
end

local function preflight(origin, conf)
  local headers = {
    ["Access-Control-Allow-Methods"] = table.concat(conf.methods, ", "),
    ["Access-Control-Allow-Headers"] = table.concat(conf.headers, ", "),
    ["Access-Control-Max-Age"] = ("%d"):format(conf.max_age_s),
  }
  add_headers(headers, origin, conf)
  return { status = 204, headers = headers }
end

local function check_origin(origin)
  return origin ~= "*" and not origin:find "^https?://[^/%s]+$"
    and ("is no origin (expected like https://shop.example, without a path, got %s)"):format(origin) or nil
end

return {
  name = "cors", version = "1.0.0", api = 1,
  about = "Lets pages of other sites call the API.",
  about_ru = "Пускает страницы других сайтов к API.",
  stage = "edge",
  on_error = "fail",
  config = {
    origins = { type = "list", required = true, min = 1, doc = "sites that may call, or \"*\"",
      doc_ru = "каким сайтам можно, или \"*\"", check = function(origins)
      for _, origin in ipairs(origins) do
        local wrong = check_origin(origin)
        if wrong then return wrong end
      end
    end },
    credentials = { type = "boolean", default = false, doc = "let them send the session cookie",
      doc_ru = "можно ли им слать cookie сессии" },
    methods = { type = "list", default = { "GET", "POST", "OPTIONS" }, doc = "methods they may use",
      doc_ru = "какие методы им можно" },
    headers = { type = "list", default = { "Authorization", "Content-Type", "Idempotency-Key" }, doc = "header fields they may send",
      doc_ru = "какие заголовки они могут слать" },
    expose = { type = "list", default = { "X-Session-Token", "X-Request-Id" }, doc = "header fields they may read",
      doc_ru = "какие заголовки они могут читать" },
    max_age_s = { type = "integer", default = 600, min = 0, max = 86400, doc = "how long a browser remembers a preflight",
      doc_ru = "сколько секунд браузер помнит разрешение" },
  },

  start = function(_, conf)
    for _, origin in ipairs(conf.origins) do
      if origin == "*" and conf.credentials then error("origins = \"*\" with credentials would let every site act as the driver", 0) end
    end
  end,

  on_request = function(_, req, conf)
    local origin = req:header "origin"
    if req.method ~= "OPTIONS" or not origin or not req:header "access-control-request-method" then return nil end
    if not allowed(origin, conf) then return { problem = "forbidden_origin", status = 403 } end
    req.ctx.cors = "preflight"
    return preflight(origin, conf)
  end,

  on_response = function(_, req, res, conf)
    local origin = req:header "origin"
    if not origin or req.ctx.cors or not allowed(origin, conf) then return end
    add_headers(res.headers, origin, conf)
    if #conf.expose > 0 then res.headers["Access-Control-Expose-Headers"] = table.concat(conf.expose, ", ") end
  end,
}
