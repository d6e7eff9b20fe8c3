local totp = require "kit.totp"

-- RFC 6238, appendix B: the secret is the ASCII text, the last six of its eight digits.
local SECRET = "12345678901234567890"

describe("one-time codes", function()
  it("are those of RFC 6238", function()
    assert.equal("287082", totp.code(SECRET, 1))
    assert.equal("081804", totp.code(SECRET, math.floor(1111111109 / 30)))
    assert.equal("005924", totp.code(SECRET, math.floor(1234567890 / 30)))
    assert.equal("353130", totp.code(SECRET, math.floor(20000000000 / 30)))
  end)

  it("give their secret to apps as base32", function()
    assert.equal("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", totp.base32(SECRET))
    assert.equal("MZXW6YQ", totp.base32 "foob")
    assert.equal("", totp.base32 "")
  end)

  it("pass one step early or late and not two", function()
    local now = 1234567890
    local step = math.floor(now / 30)
    for offset = -2, 2 do
      local found = totp.find_step(SECRET, totp.code(SECRET, step + offset), now, 0)
      assert.equal(math.abs(offset) < 2 and step + offset or nil, found)
    end
  end)

  it("pass once: used steps are over", function()
    local now = 1234567890
    local step = math.floor(now / 30)
    assert.is_nil(totp.find_step(SECRET, totp.code(SECRET, step), now, step))
    assert.equal(step + 1, totp.find_step(SECRET, totp.code(SECRET, step + 1), now, step))
  end)
end)
