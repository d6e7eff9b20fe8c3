---@meta host.crypto

---@class HostCrypto
local crypto = {}

---@param text string
---@return string digest   32 raw bytes
function crypto.sha256(text) end
---@return string digest   16 raw bytes; for cache keys of the old system only
function crypto.md5(text) end
---@param key string
---@param message string
---@return string mac   32 raw bytes
function crypto.hmac_sha256(key, message) end
---@param key string
---@param message string
---@return string mac   20 raw bytes; for one-time codes (RFC 6238) only
function crypto.hmac_sha1(key, message) end
---@param key string        32 raw bytes
---@param message string
---@param signature string  64 raw bytes
---@return boolean          false also for wrong lengths
function crypto.ed25519_verify(key, message, signature) end

---AES-256-GCM. The first key seals. `context` must be the same to open (what the secret is, and whose).
---@param keys string[]   raw keys of 32 bytes, newest first
---@param plain string
---@param context string
---@return string sealed
function crypto.seal(keys, plain, context) end
---@return string? plain
---@return Failure? failure  code "not_found" when no key of ours sealed it, "invalid" when damaged
function crypto.open(keys, sealed, context) end
---The key id a sealed value carries, or the id of a raw key: 8 hex digits.
function crypto.key_id(sealed) end

---Password hashing on a helper thread. Yields.
---@param password string
---@param salt string
---@param costs? {n?: integer, r?: integer, p?: integer, length?: integer}  default 2^15, 8, 1, 32
---@return string? key
---@return Failure? failure
function crypto.scrypt(password, salt, costs) end

---@param bytes integer
---@return string
function crypto.random(bytes) end
---@return string   UUID v4
function crypto.uuid() end
---Constant time.
---@return boolean
function crypto.equal(a, b) end

---@return string
function crypto.hex(bytes) end
---@return string?   nil when not hex
function crypto.unhex(text) end
function crypto.base64(bytes) end
function crypto.unbase64(text) end
function crypto.base64url(bytes) end
function crypto.unbase64url(text) end

return crypto
