local world = require "tool.world"

describe("expiry_reminder", function()
  local rows

  before_each(function()
    rows = {}
    world.pg:reply("SELECT * FROM ( SELECT subscriptions.driver_id", function(days) return rows[days] or {} end)
  end)

  it("speaks the driver's language and counts the days", function()
    rows[3] = { { driver_id = "1", language_code = "ru", mark = "1:9:3" }, { driver_id = "2", language_code = "en", mark = "2:9:3" } }
    rows[1] = { { driver_id = "3", mark = "3:9:1" } }
    assert.same({ queued = 3 }, world.plugin("expiry_reminder"):job "look")
    assert.matches("через 3 дня", world.outbox[1].data.text)
    assert.matches("in 3 days", world.outbox[2].data.text)
    assert.matches("в ближайшие сутки", world.outbox[3].data.text)
    assert.equal("1:9:3", world.outbox[1].data.mark)
  end)

  it("looks every hour, and queues one driver's messages one after the other", function()
    rows[3] = { { driver_id = "1", language_code = "ru", mark = "1:9:3" } }
    world.plugin "expiry_reminder"
    world.advance "59m"
    assert.same({}, world.outbox)
    world.advance "1m"
    assert.equal("1", world.outbox[1].queue)
  end)

  it("uses the product's own text", function()
    rows[5] = { { driver_id = "1", language_code = "ru", mark = "m" } }
    world.plugin("expiry_reminder", { days = { "5" }, text_ru = "Скоро конец: {when}" }):job "look"
    assert.equal("Скоро конец: через 5 дней", world.outbox[1].data.text)
  end)

  it("sends by the bot, and again when Telegram was away", function()
    rows[3] = { { driver_id = "42", language_code = "en", mark = "m" } }
    local plugin = world.plugin "expiry_reminder"
    plugin:job "look"
    world.http:reply("POST", "https://api.telegram.org/*", { status = 502, times = 1 })
    world.http:reply("POST", "https://api.telegram.org/*", { json = { ok = true, result = { message_id = 1 } } })
    local done, problem = plugin:deliver(world.outbox[1])
    assert.is_nil(done)
    assert.equal("telegram_unreachable", problem.code)
    assert.is_truthy(plugin:deliver(world.outbox[1]))
    assert.matches("/sendMessage$", world.http.asked[2].url)
    assert.equal(42, world.http.asked[2].json.chat_id)
  end)

  it("says when the database is away", function()
    world.pg:down()
    local plugin = world.plugin "expiry_reminder"
    local result, problem = plugin:job "look"
    assert.is_nil(result)
    assert.equal("plugin_failed", problem.code)
    assert.matches("unavailable", plugin:error())
  end)

  it("refuses days that are none", function()
    assert.has_error(function() world.plugin("expiry_reminder", { days = { "soon" } }) end)
  end)
end)
