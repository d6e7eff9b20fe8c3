--- One-time codes (RFC 6238) as authenticator apps compute them: HMAC-SHA1, six digits, steps of 30 seconds.
local host = host

local totp = {}

local STEP_S = 30
local DIGITS = 6
local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

--- Bytes as base32 without padding: how apps take a secret.
function totp.base32(bytes)
  local bits, count, out = 0, 0, {}
  for i = 1, #bytes do
    bits, count = bits * 256 + bytes:byte(i), count + 8
    while count >= 5 do
      count = count - 5
      local index = math.floor(bits / 2 ^ count)
      bits = bits - index * 2 ^ count
      out[#out + 1] = ALPHABET:sub(index + 1, index + 1)
    end
  end
  if count > 0 then
    local index = bits * 2 ^ (5 - count)
    out[#out + 1] = ALPHABET:sub(index + 1, index + 1)
  end
  return table.concat(out)
end

-- The step's number as 8 bytes, most significant first.
local function counter(step)
  local bytes = {}
  for i = 8, 1, -1 do
    bytes[i] = string.char(step % 256)
    step = math.floor(step / 256)
  end
  return table.concat(bytes)
end

--- The code of one step.
function totp.code(secret, step)
  local mac = host.crypto.hmac_sha1(secret, counter(step))
  local offset = mac:byte(20) % 16
  local a, b, c, d = mac:byte(offset + 1, offset + 4)
  local number = ((a % 128 * 256 + b) * 256 + c) * 256 + d
  return ("%06d"):format(number % 10 ^ DIGITS)
end

--- The step a code belongs to: the current one, or a neighbour for clocks that differ. Steps up to `last` are used up.
--- @return integer? step
function totp.find_step(secret, code, now, last)
  local current, found = math.floor(now / STEP_S), nil
  for step = current - 1, current + 1 do
    if host.crypto.equal(totp.code(secret, step), code) and step > last then found = step end
  end
  return found
end

--- What a QR code for an authenticator app says.
function totp.url(secret, login)
  return ("otpauth://totp/Fura:%s?secret=%s&issuer=Fura&algorithm=SHA1&digits=%d&period=%d"):format(login,
    totp.base32(secret), DIGITS, STEP_S)
end

return totp
