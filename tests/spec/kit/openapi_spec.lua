local contract = require "kit.contract"
local openapi = require "kit.openapi"

local function operation(route)
  openapi.publish { route }
  local document = openapi.document()
  return document.paths[route[2]][route[1]:lower()], document
end

local show = contract {
  name = "spec.show", number = "9.9", access = "driver", about = "Show one thing; nothing else.",
  input = {
    id = { type = "string", required = true, max_length = 5 },
    kind = { type = "string", one_of = { "big", "small" }, default = "big", about = "its size" },
    key = { type = "uuid" },
  },
  output = { name = { type = "string", nullable = true }, note = { type = "string", optional = true },
    parts = { type = "list", items = { type = "object", fields = { id = { type = "integer", min = 1 } } } } },
  errors = { thing_gone = 410, thing_hidden = 410 },
  run = function() return {} end,
}

describe("kit.openapi", function()
  after_each(function() openapi.publish(require "routes") end)

  it("puts each input where it comes from", function()
    local described = operation { "POST", "/things/{id}", access = "driver", contract = show, headers = { key = "x-key" } }
    assert.same({ "id", "x-key" }, { described.parameters[1].name, described.parameters[2].name })
    assert.same({ "path", "header" }, { described.parameters[1]["in"], described.parameters[2]["in"] })
    assert.equal(5, described.parameters[1].schema.maxLength)
    local body = described.requestBody.content["application/json"].schema
    assert.same({ "big", "small" }, { body.properties.kind.enum[1], body.properties.kind.enum[2] })
    assert.equal("its size", body.properties.kind.description)
    assert.is_nil(body.properties.id)
  end)

  it("tells null from absent in answers", function()
    local described = operation { "GET", "/things", access = "driver", contract = show }
    local schema = described.responses["200"].content["application/json"].schema
    assert.same({ "name", "parts" }, { schema.required[1], schema.required[2] })
    assert.same({ "string", "null" }, { schema.properties.name.type[1], schema.properties.name.type[2] })
    assert.equal(1, schema.properties.parts.items.properties.id.minimum)
  end)

  it("names all codes of a status, its own and those of every such route", function()
    local described = operation { "GET", "/things", access = "driver", limit = "default", contract = show }
    assert.equal("`thing_gone`, `thing_hidden`", described.responses["410"].description)
    assert.equal("`session_replaced`, `unauthorized`", described.responses["401"].description)
    assert.truthy(described.responses["429"])
  end)

  it("leaves out unlisted routes and the panel, and says who may ask", function()
    openapi.publish {
      { "GET", "/a", access = "public", contract = show, unlisted = true }, { "GET", "/b", panel = true, contract = show },
    }
    assert.is_nil(next(openapi.document().paths))
    assert.equal(0, #operation({ "GET", "/c", access = "public", contract = show }).security)
    assert.equal(3, #operation({ "GET", "/c", access = "driver", read_only = true, contract = show }).security)
  end)
end)
