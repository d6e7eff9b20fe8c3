-- HMAC-SHA256 by FFI, as nginx users do it: the module itself offers HMAC-SHA1 only.
local ffi = require "ffi"

ffi.cdef [[
const void *EVP_sha256(void);
unsigned char *HMAC(const void *kind, const void *key, int key_len, const char *data, size_t len,
                    unsigned char *out, unsigned int *out_len);
]]

local out = ffi.new "unsigned char[32]"
local out_len = ffi.new "unsigned int[1]"

return function(key, message)
  ffi.C.HMAC(ffi.C.EVP_sha256(), key, #key, message, #message, out, out_len)
  return ffi.string(out, 32)
end
