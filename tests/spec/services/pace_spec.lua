local pace = require "services.pace"

local function is_group(chat) return chat:sub(1, 1) == "-" end

describe("services.pace", function()
  local paced
  before_each(function() paced = pace.new(is_group) end)

  it("lets the first message go at once and the next of the chat after a second", function()
    assert.equal(0, paced:wait_s("7", 100))
    paced:note("7", 100)
    assert.near(0.6, paced:wait_s("7", 100.4), 1e-9)
    assert.equal(0, paced:wait_s("7", 101))
    assert.equal(0, paced:wait_s("8", 100.4))
  end)

  it("lets twenty a minute into a group", function()
    for n = 0, 19 do paced:note("-1", 100 + n) end
    assert.near(40, paced:wait_s("-1", 120), 1e-9)
    assert.equal(0, paced:wait_s("-1", 160))
  end)

  it("has no minute's limit for a person", function()
    for n = 0, 39 do paced:note("7", 100 + n) end
    assert.equal(0, paced:wait_s("7", 140))
  end)

  it("lets thirty a second out to all chats together", function()
    for n = 1, 30 do paced:note(tostring(n), 100 + n / 1000) end
    assert.near(0.501, paced:wait_s("99", 100.5), 1e-9)
    assert.equal(0, paced:wait_s("99", 101.001))
  end)

  it("forgets what no limit asks for", function()
    for n = 1, 1000 do paced:note("7", n) end
    assert.is_true(#paced.times["7"] <= pace.memory_s + 1)
  end)
end)
