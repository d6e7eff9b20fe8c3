-- The cached cargo list as one writes it for nginx: check the token, compare the session in Redis, read the stored page
-- from Redis, build the answer. Both keys are asked for in one round trip.
local base64 = require "ngx.base64"
local cjson = require "cjson.safe"
local hmac_sha256 = require "hmac"
local redis = require "nginx.redis" -- Debian's name of lua-resty-redis

local SECRET, KID = os.getenv "BENCH_SESSION_SECRET", os.getenv "BENCH_SESSION_KID"
local SOCKET = "unix:" .. (os.getenv "BENCH_REDIS_SOCKET" or "")
local POOL_SIZE, IDLE_MS = 1024, 60000
local kept = ngx.shared.kept

local cargo_list = {}

local function refuse(status, code)
  ngx.status = status
  ngx.header["Content-Type"] = "application/problem+json"
  ngx.print(cjson.encode { status = status, code = code })
  return ngx.exit(status)
end

local function decode_part(part)
  local text = base64.decode_base64url(part)
  return text and cjson.decode(text)
end

local function read_token()
  local token = (ngx.var.http_authorization or ""):match "^Bearer ([%w%-_%.]+)$"
  if not token then return nil end
  local head_part, claims_part, sign_part = token:match "^([%w%-_]+)%.([%w%-_]+)%.([%w%-_]+)$"
  local head = head_part and decode_part(head_part)
  if not head or head.alg ~= "HS256" or head.kid ~= KID then return nil end
  if base64.encode_base64url(hmac_sha256(SECRET, head_part .. "." .. claims_part)) ~= sign_part then return nil end
  local claims = decode_part(claims_part)
  if not claims or claims.exp <= ngx.time() then return nil end
  return claims
end

local function page_key()
  return "bench:page:" .. ngx.md5(ngx.var.args or "")
end

-- The driver's session id and the stored page.
local function read_stored(driver_id)
  local connection = redis:new()
  connection:set_timeout(2000)
  if not connection:connect(SOCKET) then return nil end
  connection:init_pipeline(2)
  connection:get("driver:" .. driver_id .. ":session")
  connection:get(page_key())
  local replies = connection:commit_pipeline()
  connection:set_keepalive(IDLE_MS, POOL_SIZE)
  if not replies then return nil end
  return replies[1], replies[2]
end

local function send(body)
  ngx.header["Content-Type"] = "application/json; charset=utf-8"
  ngx.header["Cache-Control"] = "private, no-cache"
  ngx.header["X-Cache"] = "HIT"
  ngx.header["X-Request-Id"] = ngx.var.request_id
  ngx.header["Content-Length"] = #body
  ngx.print(body)
end

function cargo_list.answer()
  local claims = read_token()
  if not claims then return refuse(401, "unauthorized") end
  local sid, stored = read_stored(claims.sub)
  if sid ~= claims.sid then return refuse(401, "unauthorized") end
  local page = stored ~= ngx.null and cjson.decode(stored)
  if not page then return refuse(502, "upstream_unavailable") end
  send(cjson.encode { cards = page.cards, meta = page.meta, cache = "hit", fetched_at = page.fetched_at })
end

-- The same with everything kept in shared memory for a second: the most that can be had from nginx. For comparison
-- only: it has no bar.
function cargo_list.answer_from_memory()
  local claims = read_token()
  if not claims then return refuse(401, "unauthorized") end
  local sid, body = kept:get("session:" .. claims.sub), kept:get(page_key())
  if not sid or not body then
    local stored
    sid, stored = read_stored(claims.sub)
    if not stored or stored == ngx.null then return refuse(502, "upstream_unavailable") end
    body = stored:gsub("}%s*$", ',"cache":"hit"}')
    kept:set("session:" .. claims.sub, sid, 1)
    kept:set(page_key(), body, 1)
  end
  if sid ~= claims.sid then return refuse(401, "unauthorized") end
  send(body)
end

return cargo_list
