-- What the answers of the Bot API mean, against the published vectors.
local telegram_api = require "services.telegram_api"
local vectors = require "spec.support.vectors"

local answers = {}
for _, one in ipairs(vectors.load("telegram").api_responses) do answers[one.id] = one end

local function judge(id)
  local one = answers[id]
  return telegram_api.judge(one.http_status, type(one.body) == "table" and one.body or nil)
end

local function failure(id)
  local result, problem = judge(id)
  assert.is_nil(result)
  return problem
end

describe("services.telegram_api", function()
  it("gives the message that was sent", function()
    assert.equal(55, judge("send-ok").message_id)
  end)

  it("waits as long as it is told, by number or by text", function()
    assert.equal("telegram_busy", failure("429").code)
    assert.equal(2282, failure("429").wait_s)
    assert.equal(134, failure("429-no-parameters").wait_s)
  end)

  it("never tries again where nobody listens", function()
    for _, id in ipairs { "403-blocked", "403-deactivated", "403-cannot-initiate" } do
      assert.equal("telegram_forbidden", failure(id).code)
    end
    assert.equal("telegram_refused", failure("400-chat-not-found").code)
    assert.equal("telegram_refused", failure("400-query-too-old").code)
  end)

  it("learns where a group went", function()
    assert.equal("telegram_moved", failure("400-migrated").code)
    assert.equal(-1001234567890, failure("400-migrated").chat_id)
  end)

  it("takes an edit without change for done", function()
    assert.is_true(judge("400-not-modified"))
  end)

  it("stops for a wrong token or a second reader", function()
    for _, id in ipairs { "401", "404", "409" } do assert.equal("telegram_misconfigured", failure(id).code) end
  end)

  it("does not know whether a broken answer means a sent message", function()
    for _, id in ipairs { "500", "502-html" } do
      assert.equal("telegram_unreachable", failure(id).code)
      assert.is_true(failure(id).uncertain)
    end
  end)
end)
