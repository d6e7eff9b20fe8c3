--- From results and failures to HTTP responses: JSON or an HTML fragment, caching, security headers, cookies.
local host = host
local problem = require "kit.problem"
local schema = require "kit.schema"
local view = require "kit.view"

local respond = {}

local JSON = "application/json; charset=utf-8"
local HTML = "text/html; charset=utf-8"
local PROBLEM = "application/problem+json; charset=utf-8"
local VARY = "HX-Request, Accept, Accept-Language"
local NO_STORE = "no-store"
local REVALIDATE = "private, no-cache"

local POLICY = table.concat({
  "default-src 'self'", "script-src 'self' https://telegram.org", "style-src 'self'", "img-src 'self' data:",
  "connect-src 'self'", "font-src 'self'", "object-src 'none'", "base-uri 'none'", "form-action 'self'",
}, "; ")
local TELEGRAM_FRAMES = "; frame-ancestors https://web.telegram.org https://webk.telegram.org https://webz.telegram.org"
  .. " https://weba.telegram.org"

-- ---- what the client wants ----

--- "html" for htmx and for browsers, else "json".
function respond.wants(request)
  if request:header "hx-request" == "true" then return "html" end
  local accept = request:header "accept"
  if accept and accept:find("text/html", 1, true) and not accept:find("json", 1, true) then return "html" end
  return "json"
end

--- "ru" or "en" by Accept-Language; Russian unless English is asked for before it.
function respond.language(request)
  local accept = request:header "accept-language"
  if not accept then return "ru" end
  local best, best_quality = "ru", 0
  for tag, parameters in accept:lower():gmatch "%s*([%a%-]+)([^,]*)" do
    local language = tag:match "^(%a%a)%f[%A]"
    local quality = tonumber(parameters:match "q%s*=%s*([%d%.]+)") or 1
    if (language == "ru" or language == "en") and quality > best_quality then
      best, best_quality = language, quality
    end
  end
  return best
end

-- ---- cookies ----

local COOKIE = "fura_session"
respond.cookie_name = COOKIE

--- Telegram Web shows the app in a frame of another site, hence SameSite=None and Partitioned in production.
function respond.session_cookie(token, max_age_s)
  local attributes = host.config.env == "production" and "; Secure; SameSite=None; Partitioned" or "; SameSite=Lax"
  return ("%s=%s; Path=/; Max-Age=%d; HttpOnly%s"):format(COOKIE, token, max_age_s, attributes)
end

-- ---- headers every answer has ----

local function finish(context, response)
  local headers = response.headers
  headers["X-Content-Type-Options"] = "nosniff"
  if context.fresh_token then
    headers["X-Session-Token"] = context.fresh_token
    headers["Set-Cookie"] = headers["Set-Cookie"] or respond.session_cookie(context.fresh_token, 86400)
  end
  if context.rate_headers then
    for name, value in pairs(context.rate_headers) do headers[name] = value end
  end
  return response
end

-- The panel is for no frame, and needs nothing of Telegram.
local function add_panel_headers(headers)
  headers["Content-Security-Policy"] = POLICY:gsub(" https://telegram.org", "") .. "; frame-ancestors 'none'"
  headers["X-Frame-Options"] = "DENY"
  headers["Referrer-Policy"] = "same-origin"
end

local function add_page_headers(headers, unframed)
  headers["Content-Security-Policy"] = POLICY .. TELEGRAM_FRAMES
  headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
  if unframed then add_panel_headers(headers) end
  headers["Permissions-Policy"] = "geolocation=(), camera=(), microphone=()"
  if host.config.env == "production" then headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains" end
  return headers
end

local function merge(into, more)
  for name, value in pairs(more or {}) do into[name] = value end
  return into
end

-- Whoever answers next, another worker or node, must find the same tag.
local SAME_TEXT = { sorted = true }

-- A weak tag: the same content may be spelt with another cache state.
local function tag_of(body)
  return 'W/"' .. host.crypto.hex(host.crypto.sha256(body)):sub(1, 16) .. '"'
end

-- The client keeps the answer and asks whether it still holds. Not one with a new token: kept, it would bring that
-- token again when it is no longer the newest.
local function let_keep(context, headers, tag)
  if context.fresh_token then return end
  headers["Cache-Control"], headers.Vary, headers.ETag = REVALIDATE, VARY, tag
end

-- ---- answers ----

--- @param output table  the contract's; `output.encoded` = {text, tag} is sent as it is
--- @param options {fields: table?, headers: table?, status: integer?, revalidate: boolean?}
function respond.json(context, output, options)
  local headers = merge({ ["Content-Type"] = JSON, ["Cache-Control"] = NO_STORE }, options.headers)
  local encoded = output.encoded
  local body = encoded and encoded.text
  if not body then
    local whole = options.fields and schema.complete(options.fields, output) or output
    body = host.json.encode(whole, options.revalidate and SAME_TEXT or nil)
  end
  if options.revalidate then let_keep(context, headers, encoded and encoded.tag or tag_of(body)) end
  return finish(context, { status = options.status or 200, headers = headers, body = body })
end

--- An HTML fragment or a whole page.
--- @param options {status: integer?, headers: table?, revalidate: boolean?, unframed: boolean?}
---   unframed: a page of the panel
function respond.html(context, markup, options)
  local body = view.escape(markup)
  local headers = merge({ ["Content-Type"] = HTML, ["Cache-Control"] = NO_STORE, Vary = VARY }, options.headers)
  add_page_headers(headers, options.unframed)
  if options.revalidate then let_keep(context, headers, tag_of(body)) end
  return finish(context, { status = options.status or 200, headers = headers, body = body })
end

function respond.empty(context, status, headers)
  return finish(context, { status = status, headers = merge({ ["Cache-Control"] = NO_STORE }, headers) })
end

--- A failure, as a problem document or as a fragment that says where it belongs.
--- @param failure table
--- @param fragment? fun(failure: table, document: table, context: table): any, table?  markup and headers
function respond.failure(context, failure, fragment)
  local document, status = problem.document(failure, context)
  local headers = merge({ ["Cache-Control"] = NO_STORE, Vary = VARY }, failure.headers)
  if failure.retry_after_s then headers["Retry-After"] = ("%d"):format(math.ceil(failure.retry_after_s)) end
  if status == 401 then headers["WWW-Authenticate"] = "Bearer" end
  if context.wants == "html" and fragment then
    headers["X-Problem-Code"] = document.code
    local markup, more = fragment(failure, document, context)
    return respond.html(context, markup, { status = status, headers = merge(headers, more) })
  end
  headers["Content-Type"] = PROBLEM
  return finish(context, { status = status, headers = headers, body = host.json.encode(document) })
end

return respond
