--- Who is asking: the session token from the header or the cookie, and whether a cookie may be believed.
local failure = require "kit.failure"
local respond = require "kit.respond"
local host = host

local access = {}

--- @return string? token
--- @return "bearer"|"cookie"|nil via
function access.token(request)
  local authorization = request:header "authorization"
  if authorization then
    local token = authorization:match "^[Bb][Ee][Aa][Rr][Ee][Rr] +([%w%-_%.]+)$"
    if token then return token, "bearer" end
    if authorization:lower():find("^bearer") then return nil end
  end
  local cookie = request:cookie(respond.cookie_name)
  if cookie and cookie ~= "" then return cookie, "cookie" end
end

local SAFE = { GET = true, HEAD = true, OPTIONS = true }

local function origin_of(url)
  return url and url:match "^(https?://[^/?#]+)"
end

--- A cookie comes with any request a browser makes, so for an unsafe method the page that made it must be ours.
function access.check_origin(request, via)
  if via ~= "cookie" or SAFE[request.method] then return true end
  local origin = request:header "origin"
  local own = origin_of(host.config.webapp_url)
  if origin and (origin == own or origin == request.scheme .. "://" .. request.host) then return true end
  return nil, failure "forbidden_origin"
end

return access
