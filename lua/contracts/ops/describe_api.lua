--- The API in its own words: OpenAPI 3.1. GET /api/docs shows the same to people.
local contract = require "kit.contract"
local openapi = require "kit.openapi"
local host = host

return contract {
  name = "ops.describe_api", access = "public",
  about = "This description, as OpenAPI 3.1.",
  input = {}, output = {}, errors = {},

  run = function()
    local text = host.json.encode(openapi.document(), { sorted = true })
    return { encoded = { text = text, tag = 'W/"' .. host.crypto.hex(host.crypto.sha256(text)):sub(1, 16) .. '"' } }
  end,
}
