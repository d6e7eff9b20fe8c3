--- Secrets at rest: encrypted with the first of SETTINGS_ENCRYPTION_KEY, opened with any of them. Each is bound to what
--- it is and whose, so that a sealed value moved to another row does not open.
local host = host
local failure = require "kit.failure"

local secrets = {}

local KEYS = host.config.settings_encryption_key

local function no_key(text, key_id)
  return nil, failure("encryption_key_missing", { service = "secrets", status = 503, text = text, key_id = key_id })
end

--- @param context string  what the secret is, and whose
--- @return string? sealed
--- @return table? failure  encryption_key_missing
function secrets.seal(plain, context)
  if not KEYS then return no_key "SETTINGS_ENCRYPTION_KEY is required to store secrets: openssl rand -base64 32" end
  return host.crypto.seal(KEYS, plain, context)
end

--- @return string? plain
--- @return table? failure  encryption_key_missing when it was sealed with a key we do not have
function secrets.open(sealed, context)
  if not KEYS then
    local key_id = host.crypto.key_id(sealed)
    return no_key(("sealed with key %s, and there is no SETTINGS_ENCRYPTION_KEY: set it to that key"):format(key_id), key_id)
  end
  local plain, problem = host.crypto.open(KEYS, sealed, context)
  if plain then return plain end
  if problem.code == "not_found" then
    local key_id = host.crypto.key_id(sealed)
    return no_key(("sealed with key %s, which SETTINGS_ENCRYPTION_KEY does not hold: put that key back behind the new one (new,old)")
      :format(key_id), key_id)
  end
  return nil, problem
end

--- The id of the key that seals now; nil without one.
function secrets.key_id()
  return KEYS and host.crypto.key_id(KEYS[1])
end

--- Can what was sealed with this key be opened?
function secrets.holds(key_id)
  for _, key in ipairs(KEYS or {}) do
    if host.crypto.key_id(key) == key_id then return true end
  end
  return false
end

--- The id of the key a value was sealed with.
function secrets.key_of(sealed)
  return host.crypto.key_id(sealed)
end

return secrets
