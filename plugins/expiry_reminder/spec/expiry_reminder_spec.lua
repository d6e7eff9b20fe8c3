local fixture = require "services.plugin_fixture"

describe("expiry_reminder", function()
  local queued, rows, called

  local function load(config)
    return fixture.load("expiry_reminder", config, {
      pg = { query = function(_, days) return rows[days] or {} end },
      outbox = { add = function(entry) queued[#queued + 1] = entry return {} end },
      telegram = { call = function(method, params) called = { method, params } return { message_id = 1 } end },
    })
  end

  before_each(function() queued, rows, called = {}, {}, nil end)

  it("speaks the driver's language and counts the days", function()
    rows[3] = { { driver_id = "1", language_code = "ru", mark = "1:9:3" }, { driver_id = "2", language_code = "en", mark = "2:9:3" } }
    rows[1] = { { driver_id = "3", mark = "3:9:1" } }
    assert.same({ queued = 3 }, load():job "look")
    assert.matches("через 3 дня", queued[1].data.text)
    assert.matches("in 3 days", queued[2].data.text)
    assert.matches("в ближайшие сутки", queued[3].data.text)
    assert.equal("1:9:3", queued[1].data.mark)
  end)

  it("uses the product's own text", function()
    rows[5] = { { driver_id = "1", language_code = "ru", mark = "m" } }
    load({ days = { "5" }, text_ru = "Скоро конец: {when}" }):job "look"
    assert.equal("Скоро конец: через 5 дней", queued[1].data.text)
  end)

  it("sends by the bot", function()
    assert.is_truthy(load():deliver({ chat_id = "42", text = "t" }))
    assert.same({ "sendMessage", { chat_id = 42, text = "t" } }, called)
  end)

  it("refuses days that are none", function()
    assert.has_error(function() load({ days = { "soon" } }) end)
  end)
end)
