local init_data = require "services.init_data"
local mutations = require "support.mutations"
local vectors = require "support.vectors"

local published = vectors.load "initdata"

-- Vectors without `now` do not test the age: be there at once.
local function now_of(vector)
  if vector.now then return vector.now end
  return tonumber(vector.init_data:match "auth_date=(%d+)") or 1767225610
end

local function options_of(vector)
  return {
    bot_token = vector.bot_token,
    trusted_bots = not vector.bot_token and { vector.bot_id } or nil,
    keys = vector.ed25519_public_key_hex and { vector.ed25519_public_key_hex },
    now = now_of(vector), max_age_s = vector.max_age_s or 86400,
  }
end

local TOKEN = "1234567890:AAOwnSyntheticTokenForCargoTechTests-0"

-- initData signed by the rules of DOMAIN D1.
local function signed(fields, token)
  local keys, lines, parts = {}, {}, {}
  for key in pairs(fields) do keys[#keys + 1] = key end
  table.sort(keys)
  for index, key in ipairs(keys) do
    lines[index] = key .. "=" .. fields[key]
    parts[index] = host.http.escape(key) .. "=" .. host.http.escape(fields[key])
  end
  local secret = host.crypto.hmac_sha256("WebAppData", token or TOKEN)
  parts[#parts + 1] = "hash=" .. host.crypto.hex(host.crypto.hmac_sha256(secret, table.concat(lines, "\n")))
  return table.concat(parts, "&")
end

local function check(fields)
  return init_data.check(signed(fields), { bot_token = TOKEN, now = 1767225610, max_age_s = 300 })
end

-- SPEC 5 refuses bot accounts; the vector's user is one.
local OVERRIDDEN = { G = "bot_user" }

describe("1.1 initData", function()
  for _, vector in ipairs(published.vectors) do
    local expected = OVERRIDDEN[vector.id] or vector.expect_result
    it("vector " .. vector.id .. " is " .. expected, function()
      local driver, reason = init_data.check(vector.init_data, options_of(vector))
      assert.equal(expected, driver and "ok" or reason)
    end)
  end

  it("keeps the primitives", function()
    for _, primitive in ipairs(published.primitives) do
      if primitive.message then
        local secret = host.crypto.hmac_sha256("WebAppData", primitive.bot_token)
        assert.equal(primitive.expect_hmac_hex, host.crypto.hex(host.crypto.hmac_sha256(secret, primitive.message)))
      end
    end
  end)

  it("reads a field by its decoded name, however it was escaped", function()
    local good = signed { auth_date = "1767225600", query_id = "a&b=c+d %", user = '{"id":42}' }
    local options = { bot_token = TOKEN, now = 1767225610, max_age_s = 300 }
    local function escape_all(piece) return (piece:gsub("[^=]", function(c) return ("%%%02x"):format(c:byte()) end)) end
    local hash = good:match "hash=(%x+)$"
    assert.truthy(init_data.check(good:gsub("^auth_date=[^&]*", escape_all), options))
    assert.truthy(init_data.check("hash=" .. hash .. "&" .. good:gsub("&hash=.*", ""), options))
    assert.truthy(init_data.check(good:gsub("%%20", "+"), options))
    for changed, expected in pairs {
      [good .. "&%75ser=%7B%22id%22%3A7%7D"] = "duplicate_key", [good .. "&"] = "malformed", ["&" .. good] = "malformed",
      [good .. "&x"] = "malformed", [good .. "&%=1"] = "malformed", [good .. "&a=%c0%af"] = "malformed",
      [good .. "&a=%ed%a0%80"] = "malformed", [good .. "%20"] = "invalid_hash", [good .. "&signature=x"] = "invalid_hash",
      [good:gsub("hash=.*", "hash=")] = "invalid_hash",
    } do
      assert.equal(expected, (select(2, init_data.check(changed, options))), changed)
    end
  end)

  it("says who the driver is, the id as exact text", function()
    local driver = check {
      auth_date = "1767225600", start_param = "cargo_7",
      user = '{"id":4503599627370495,"first_name":"Иван\\n<b>","username":"ivan","language_code":"ru"}',
    }
    assert.same({
      id = "4503599627370495", first_name = "Иван <b>", username = "ivan", language_code = "ru",
      auth_date = 1767225600, start_param = "cargo_7",
    }, driver)
  end)

  it("refuses control characters, also escaped line breaks between parameters", function()
    for _, value in ipairs { "a\nb", "a\0b", "a\127", "\255\254" } do
      local driver, reason = check { auth_date = "1767225600", user = '{"id":1}', start_param = value }
      assert.is_nil(driver)
      assert.equal("malformed", reason)
    end
  end)

  it("refuses ids out of range", function()
    for _, id in ipairs { "4503599627370496", "9007199254740993", "1e400", "0", "-5", "1.5", "true", "null", '"x"', '""',
      '"0"', '"01"', "[]" } do
      local driver = check { auth_date = "1767225600", user = '{"id":' .. id .. "}" }
      assert.is_nil(driver, id)
    end
  end)

  it("holds the borders of age and skew", function()
    for auth_date, expected in pairs {
      ["1767225310"] = "ok", ["1767225309"] = "expired", ["1767225620"] = "ok", ["1767225621"] = "future_auth_date",
      ["99999999999999999999"] = "invalid_auth_date", ["+1767225600"] = "invalid_auth_date",
    } do
      local driver, reason = check { auth_date = auth_date, user = '{"id":1}' }
      assert.equal(expected, driver and "ok" or reason)
    end
  end)

  it("checks the order: form, hash, date, user", function()
    local options = { bot_token = TOKEN, now = 1767225610, max_age_s = 300 }
    local function reason_of(raw) return select(2, init_data.check(raw, options)) end
    assert.equal("malformed", reason_of "a=%ZZ&hash=abc")
    assert.equal("invalid_hash", reason_of "auth_date=1&hash=abc")
    assert.equal("expired", select(2, check { auth_date = "1", user = "{" }))
    assert.equal("invalid_user_json", select(2, check { auth_date = "1767225600", user = "{" }))
    assert.equal("missing_user", select(2, check { auth_date = "1767225600" }))
  end)

  it("never takes another bot's signature without being told to trust it", function()
    local vector
    for _, candidate in ipairs(published.vectors) do
      if candidate.id == "B" then vector = candidate end
    end
    local options = options_of(vector)
    assert.truthy(init_data.check(vector.init_data, options))
    options.bot_token, options.trusted_bots = TOKEN, nil
    assert.equal("invalid_hash", select(2, init_data.check(vector.init_data, options)))
    options.trusted_bots, options.keys = { vector.bot_id }, init_data.telegram_keys(true)
    assert.truthy(init_data.check(vector.init_data, options))
  end)

  it("takes nothing that says other than what was signed, whatever bytes are changed", function()
    local good = signed { auth_date = "1767225600", query_id = "AA-1", user = '{"id":42,"first_name":"Ай"}' }
    local options = { bot_token = TOKEN, now = 1767225610, max_age_s = 300 }
    local fields, refused = init_data.parse(good), 0
    for changed in mutations.of(good, 4000, 7) do
      if init_data.check(changed, options) then
        assert.same(fields, (init_data.parse(changed)), changed)
      else
        refused = refused + 1
      end
    end
    assert.is_true(refused > 3000)
  end)
end)
