local responses = require("tool.world").rule "responses"

local function letters(status)
  local shown = {}
  for _, button in ipairs(responses.buttons(status)) do shown[#shown + 1] = button.letter end
  return table.concat(shown)
end

describe("rules.responses", function()
  it("never moves back, and never out of an end", function()
    assert.is_true(responses.can("queued", "sent"))
    assert.is_true(responses.can("failed", "queued"))
    for _, move in ipairs { { "sent", "queued" }, { "accepted", "sent" }, { "accepted", "rejected" }, { "completed", "accepted" },
      { "rejected", "accepted" }, { "nothing", "sent" } } do
      assert.is_false(responses.can(move[1], move[2]), table.concat(move, " to "))
    end
  end)

  it("offers dispatchers only what may still be done", function()
    assert.equal("ajc", letters "sent")
    assert.equal("c", letters "accepted")
    assert.equal("", letters "rejected")
    assert.equal("", letters "completed")
  end)

  it("lets the page ask soon at first, then seldom, and never about what is over", function()
    assert.equal(5, responses.poll_s("sent", 59))
    assert.equal(20, responses.poll_s("sent", 60))
    assert.equal(60, responses.poll_s("accepted", 600))
    for _, status in ipairs { "rejected", "completed", "failed" } do assert.is_nil(responses.poll_s(status, 0)) end
  end)
end)
