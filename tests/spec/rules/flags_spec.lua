local world = require "tool.world"

describe("rules.flags", function()
  local flags = world.rule "flags"

  it("adds drivers and takes none away when a share grows", function()
    for bucket = 0, 99 do
      local before = false
      for percent = 0, 100 do
        local now = flags.is_on({ enabled = true, rollout_percent = percent }, { bucket = bucket })
        assert.is_true(now or not before)
        before = now
      end
      assert.is_true(before)
    end
  end)
end)
