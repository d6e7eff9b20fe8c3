--- Session tokens: JWT with HS256 only. `kid` names the key, so keys can be rotated: the first one signs, all verify.
local host = host
local cache = require "kit.cache"

local jwt = {}

local crypto = host.crypto

-- List of {kid, key}; worked out once for each list of secrets.
local key_lists = cache.new { max = 8 }

local function keys_of(secrets)
  local keys = key_lists:get(secrets)
  if keys then return keys end
  keys = {}
  for index, secret in ipairs(secrets) do
    keys[index] = { kid = crypto.hex(crypto.sha256("fura session key " .. secret)):sub(1, 8), key = secret }
  end
  key_lists:set(secrets, keys)
  return keys
end

local function signature(key, signed_part)
  return crypto.base64url(crypto.hmac_sha256(key, signed_part))
end

--- @param claims table   {sub, sid, iat, exp}
--- @param secrets string[]  newest first
function jwt.sign(claims, secrets)
  local key = keys_of(secrets)[1]
  local head = host.json.encode({ alg = "HS256", kid = key.kid, typ = "JWT" }, { sorted = true })
  local signed_part = crypto.base64url(head) .. "." .. crypto.base64url(host.json.encode(claims, { sorted = true }))
  return signed_part .. "." .. signature(key.key, signed_part)
end

local function decode_part(part)
  local text = crypto.unbase64url(part)
  local value = text and host.json.decode(text)
  return type(value) == "table" and value or nil
end

local function find_key(keys, kid)
  for _, key in ipairs(keys) do
    if key.kid == kid then return key.key end
  end
end

local function is_whole(value)
  return type(value) == "number" and value == math.floor(value)
end

-- What sessions are looked up by: a driver's id and a UUID.
local function names_session(claims)
  local sub, sid = claims.sub, claims.sid
  return type(sub) == "string" and #sub <= 16 and sub:find "^[1-9]%d*$" ~= nil
    and type(sid) == "string" and #sid == 36 and sid:find "^[%x%-]+$" ~= nil
end

-- The claims of a token whose signature is ours; time is not looked at.
local function read(token, secrets)
  local head_part, claims_part, sign_part = token:match "^([%w%-_]+)%.([%w%-_]+)%.([%w%-_]+)$"
  if not head_part or #token > 2048 then return nil end
  local head = decode_part(head_part)
  if not head or head.alg ~= "HS256" or head.crit ~= nil then return nil end
  local key = find_key(keys_of(secrets), head.kid)
  if not key or not crypto.equal(sign_part, signature(key, head_part .. "." .. claims_part)) then return nil end
  local claims = decode_part(claims_part)
  if not claims or not names_session(claims) or not is_whole(claims.iat) or not is_whole(claims.exp) then return nil end
  return claims
end

-- A verified token stays verified: only its time and its session can end, and those are asked for each time.
local verified = cache.new { max = 20000 }

--- @return table? claims  {sub, sid, iat, exp}; nil for anything that is not a token of ours or has expired
function jwt.verify(token, secrets, now)
  local entry = verified:get(token)
  if not entry or entry.secrets ~= secrets then
    local claims = read(token, secrets)
    if not claims then return nil end
    entry = { claims = claims, secrets = secrets }
    verified:set(token, entry)
  end
  if now >= entry.claims.exp then return nil end
  return entry.claims
end

return jwt
