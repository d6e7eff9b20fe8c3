local jwt = require "services.jwt"
local mutations = require "support.mutations"

local OLD, NEW = "old key old key old key old key ", "new key new key new key new key "
local claims = { sub = "4503599627370495", sid = "6f1c2a54-0d1e-4c55-9b1a-0a4f5f0c7d11", iat = 1000, exp = 2000 }
local base64url = host.crypto.base64url

local function forged(head, body, key)
  local part = base64url(host.json.encode(head)) .. "." .. base64url(host.json.encode(body))
  return part .. "." .. base64url(host.crypto.hmac_sha256(key or NEW, part))
end

describe("services.jwt", function()
  local keys = { NEW, OLD }

  it("reads what it signed until it expires", function()
    local token = jwt.sign(claims, keys)
    assert.same(claims, jwt.verify(token, keys, 1999))
    assert.is_nil(jwt.verify(token, keys, 2000))
  end)

  it("reads tokens of an older key, and none of a key that is gone", function()
    local token = jwt.sign(claims, { OLD })
    assert.same(claims, jwt.verify(token, keys, 1500))
    assert.is_nil(jwt.verify(token, { NEW }, 1500))
  end)

  it("takes no other algorithm, no unsigned token and no changed one", function()
    local token = jwt.sign(claims, keys)
    local kid = host.json.decode(host.crypto.unbase64url(token:match "^[^.]+")).kid
    for _, head in ipairs { { alg = "none", kid = kid }, { alg = "HS512", kid = kid }, { alg = "RS256", kid = kid },
      { alg = "hs256", kid = kid }, { alg = "HS256" }, { alg = "HS256", kid = "00000000" } } do
      assert.is_nil(jwt.verify(forged(head, claims), keys, 1500))
    end
    assert.same(claims, jwt.verify(forged({ alg = "HS256", kid = kid }, claims), keys, 1500))
    local head, body = token:match "^([^.]+)%.([^.]+)"
    for _, bad in ipairs { head .. "." .. body .. ".", head .. "." .. body, token .. "x", token .. ".x", "", "a.b.c",
      (token:gsub("%.", "..", 1)) } do
      assert.is_nil(jwt.verify(bad, keys, 1500))
    end
  end)

  it("takes no claims that name no session or have wrong types", function()
    local token = jwt.sign(claims, keys)
    local kid = host.json.decode(host.crypto.unbase64url(token:match "^[^.]+")).kid
    for _, wrong in ipairs { { sub = 7 }, { sub = "0" }, { sub = ("9"):rep(17) }, { sub = "12x" }, { sid = 1 }, { sid = "x" },
      { sid = ("g"):rep(36) }, { iat = "x" }, { exp = "9999999999" }, { exp = 1999.5 } } do
      local body = { sub = claims.sub, sid = claims.sid, iat = claims.iat, exp = claims.exp }
      for name, value in pairs(wrong) do body[name] = value end
      assert.is_nil(jwt.verify(forged({ alg = "HS256", kid = kid }, body), keys, 1500))
    end
  end)

  it("takes no token but the very one it signed, whatever bytes are changed", function()
    local token = jwt.sign(claims, keys)
    for changed in mutations.of(token, 4000, 11) do
      if changed ~= token then assert.is_nil(jwt.verify(changed, keys, 1500), changed) end
    end
  end)
end)
