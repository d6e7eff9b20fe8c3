--- Telegram's initData: the query string the client got from Telegram, checked in a fixed order: well-formed, signed,
--- recent, and by a person. Facts: the HMAC covers every field except `hash`, `signature` included; the Ed25519
--- signature (for bots whose token we do not have) covers neither.
local host = host
local text = require "kit.text"

local init_data = {}

local crypto = host.crypto

local PRODUCTION_KEY = "e7bf03a2fa4602af4580703d88dda5bb59f32ed8b02a56c187fe7d34caed242d"
local TEST_KEY = "40055058a4ee38156a06562e52eece92a771bcd8346a8c4615cb7376eddf72ec"
local MAX_BYTES = 16384
local MAX_CLOCK_SKEW_S = 10
local MAX_USER_ID = 2 ^ 52 - 1

local function is_clean(value)
  return value ~= nil and not text.has_control(value) and text.is_utf8(value)
end

local function read_pair(piece)
  local key, value = piece:match "^([^=]*)=(.*)$"
  if not key then return nil end
  key, value = host.http.unescape(key), host.http.unescape(value)
  if not is_clean(key) or key == "" or not is_clean(value) then return nil end
  return key, value
end

--- Fields by name, decoded. nil and a reason: "malformed", "duplicate_key".
function init_data.parse(raw)
  if #raw > MAX_BYTES then return nil, "malformed" end
  local fields = {}
  if raw == "" then return fields end
  for piece in (raw .. "&"):gmatch "(.-)&" do
    local key, value = read_pair(piece)
    if not key then return nil, "malformed" end
    if fields[key] then return nil, "duplicate_key" end
    fields[key] = value
  end
  return fields
end

local function check_string(fields, left_out)
  local keys, lines = {}, {}
  for key in pairs(fields) do
    if not left_out[key] then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for index, key in ipairs(keys) do lines[index] = key .. "=" .. fields[key] end
  return table.concat(lines, "\n")
end

--- HMAC with the bot's token. nil and "missing_hash" or "invalid_hash".
function init_data.check_hash(fields, bot_token)
  if not fields.hash then return nil, "missing_hash" end
  local secret = crypto.hmac_sha256("WebAppData", bot_token)
  local expected = crypto.hex(crypto.hmac_sha256(secret, check_string(fields, { hash = true })))
  if not crypto.equal(expected, fields.hash) then return nil, "invalid_hash" end
  return true
end

--- Telegram's own signature for one bot id. nil and "missing_signature" or "invalid_signature".
--- @param keys string[]  public keys in hex
function init_data.check_signature(fields, bot_id, keys)
  if not fields.signature then return nil, "missing_signature" end
  local signature = #fields.signature == 86 and crypto.unbase64url(fields.signature)
  local message = ("%s:WebAppData\n%s"):format(bot_id, check_string(fields, { hash = true, signature = true }))
  for _, key in ipairs(signature and keys or {}) do
    if crypto.ed25519_verify(crypto.unhex(key), message, signature) then return true end
  end
  return nil, "invalid_signature"
end

--- Telegram's public keys; the test environment's only outside production.
function init_data.telegram_keys(is_production)
  if is_production then return { PRODUCTION_KEY } end
  return { PRODUCTION_KEY, TEST_KEY }
end

-- Our own bot's token first; bots we merely trust by Telegram's signature.
local function check_origin(fields, options)
  local reason = "invalid_hash"
  if options.bot_token then
    local ok
    ok, reason = init_data.check_hash(fields, options.bot_token)
    if ok then return true end
  end
  for _, bot_id in ipairs(options.trusted_bots or {}) do
    local ok, why = init_data.check_signature(fields, bot_id, options.keys)
    if ok then return true end
    if not options.bot_token then reason = why end
  end
  return nil, reason
end

local function check_date(fields, options)
  local shown = fields.auth_date
  if not shown or not shown:find "^%d+$" or #shown > 12 then return nil, "invalid_auth_date" end
  local auth_date = tonumber(shown)
  if options.now - auth_date > options.max_age_s then return nil, "expired" end
  if auth_date - options.now > MAX_CLOCK_SKEW_S then return nil, "future_auth_date" end
  return auth_date
end

-- Digits of the id. Telegram writes a number; some of its older libraries a string of digits.
local function read_user_id(id)
  if type(id) == "string" and #id <= 16 and id:find "^[1-9]%d*$" then id = tonumber(id) end
  if type(id) ~= "number" or id < 1 or id > MAX_USER_ID or id ~= math.floor(id) then return nil end
  return ("%.0f"):format(id)
end

local function read_name(value)
  if type(value) ~= "string" or not text.is_utf8(value) then return nil end
  value = text.first(text.squeeze((value:gsub("[%z\1-\31\127]", " "))), 255)
  if value ~= "" then return value end
end

local function read_user(fields)
  if not fields.user or fields.user == "" then return nil, "missing_user" end
  local user = host.json.decode(fields.user)
  if type(user) ~= "table" or not fields.user:find "^%s*{" then return nil, "invalid_user_json" end
  local id = read_user_id(user.id)
  if not id then return nil, "missing_user_id" end
  if user.is_bot == true then return nil, "bot_user" end
  return {
    id = id,
    first_name = read_name(user.first_name) or "",
    last_name = read_name(user.last_name),
    username = read_name(user.username),
    language_code = read_name(user.language_code),
  }
end

--- @param raw string
--- @param options {bot_token: string?, trusted_bots: (string|number)[]?, keys: string[]?, now: number, max_age_s: number}
--- @return table? driver  {id, first_name, last_name, username, language_code, auth_date, start_param}
--- @return string? reason  for the log and the counters only
function init_data.check(raw, options)
  local fields, reason = init_data.parse(raw)
  if not fields then return nil, reason end
  local ok, auth_date, driver
  ok, reason = check_origin(fields, options)
  if not ok then return nil, reason end
  auth_date, reason = check_date(fields, options)
  if not auth_date then return nil, reason end
  driver, reason = read_user(fields)
  if not driver then return nil, reason end
  driver.auth_date = auth_date
  driver.start_param = fields.start_param
  return driver
end

return init_data
