describe("host.crypto", function()
  local crypto = host.crypto
  local old_key, new_key = ("o"):rep(32), ("n"):rep(32)

  it("hashes", function()
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", crypto.hex(crypto.sha256("abc")))
    assert.equal("900150983cd24fb0d6963f7d28e17f72", crypto.hex(crypto.md5("abc")))
    assert.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      crypto.hex(crypto.hmac_sha256("Jefe", "what do ya want for nothing?")))
  end)

  it("verifies Ed25519 signatures and refuses wrong lengths quietly", function()
    local key = crypto.unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    local signature = crypto.unhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
      .. "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
    assert.is_true(crypto.ed25519_verify(key, "\x72", signature))
    assert.is_false(crypto.ed25519_verify(key, "\x73", signature))
    assert.is_false(crypto.ed25519_verify(key, "\x72", signature .. "x"))
    assert.is_false(crypto.ed25519_verify("short", "\x72", signature))
  end)

  it("opens after a rotation what the old key sealed", function()
    local sealed = crypto.seal({ old_key }, "shop secret", "setting:yookassa")
    assert.equal("shop secret", crypto.open({ new_key, old_key }, sealed, "setting:yookassa"))
    assert.equal(crypto.key_id(old_key), crypto.key_id(sealed))
    assert.not_equal(crypto.key_id(new_key), crypto.key_id(sealed))
    assert.matches("^%x%x%x%x%x%x%x%x$", crypto.key_id(sealed))
  end)

  it("tells a forgotten key from a damaged value or a wrong context", function()
    local sealed = crypto.seal({ old_key }, "secret", "who")
    local function code_of_opening(keys, value, context)
      local plain, failure = crypto.open(keys, value, context)
      assert.is_nil(plain)
      return failure.code
    end
    assert.equal("not_found", code_of_opening({ new_key }, sealed, "who"))
    assert.equal("invalid", code_of_opening({ old_key }, sealed, "whose"))
    assert.equal("invalid", code_of_opening({ old_key }, sealed:sub(1, -2) .. "\0", "who"))
    assert.equal("invalid", code_of_opening({ old_key }, "", "who"))
  end)

  it("refuses keys that are not 32 bytes", function()
    assert.error(function() crypto.seal({ "short" }, "x", "") end)
    assert.error(function() crypto.seal({}, "x", "") end)
    assert.error(function() crypto.open({ 1 }, "x", "") end)
    assert.error(function() crypto.key_id("short") end)
  end)

  it("derives scrypt keys while other tasks go on", function()
    local ticks = 0
    local ticker = host.task.spawn(function()
      while true do
        host.task.sleep(1)
        ticks = ticks + 1
      end
    end)
    local key = assert(crypto.scrypt("password", "NaCl", { n = 1024, r = 8, p = 16, length = 64 }))
    assert.equal("fdbabe1c9d347200", crypto.hex(key):sub(1, 16))
    assert.equal(32, #assert(crypto.scrypt("password", "salt")))
    ticker:cancel()
    assert.is_true(ticks > 0)
  end)

  it("fails on costs that scrypt does not take", function()
    local key, failure = crypto.scrypt("password", "salt", { n = 1000 })
    assert.is_nil(key)
    assert.equal("invalid", failure.code)
    assert.error(function() crypto.scrypt("password", "salt", { n = 0.5 }) end)
    assert.error(function() crypto.scrypt("password", "salt", { length = 5000 }) end)
  end)

  it("gives random bytes and identifiers", function()
    assert.equal(16, #crypto.random(16))
    assert.equal("", crypto.random(0))
    assert.not_equal(crypto.random(16), crypto.random(16))
    assert.matches("^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$", crypto.uuid())
    assert.error(function() crypto.random(-1) end)
  end)

  it("compares", function()
    assert.is_true(crypto.equal("token", "token"))
    assert.is_false(crypto.equal("token", "tokem"))
    assert.is_false(crypto.equal("token", "toke"))
  end)

  it("encodes, and decodes strictly", function()
    assert.equal("00ff", crypto.hex("\0\255"))
    assert.equal("\0\255", crypto.unhex("00fF"))
    assert.is_nil(crypto.unhex("0"))
    assert.equal("+/++", crypto.base64("\251\255\190"))
    assert.equal("Zg==", crypto.base64("f"))
    assert.equal("f", crypto.unbase64("Zg=="))
    assert.is_nil(crypto.unbase64("Zh=="))
    assert.equal("-_--", crypto.base64url("\251\255\190"))
    assert.equal("f", crypto.unbase64url("Zg"))
    assert.is_nil(crypto.unbase64url("Zg=="))
  end)
end)
