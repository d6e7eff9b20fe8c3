local cargos = require "web.pages.cargos"

describe("web.pages.cargos, prices", function()
  local function shown(age_s)
    return cargos.prices({ prices = { ["7"] = "13 500 ₽" }, gone = {} },
      { language = "ru", driver_id = "1", priced_at = host.time.now() - age_s })[1]
  end

  it("call the list updated when they are of now", function()
    assert.truthy(shown(30):find("list-time", 1, true))
  end)

  it("of a stored copy leave the list as old as it is", function()
    assert.truthy(shown(61):find("cargo-price-7", 1, true))
    assert.falsy(shown(61):find("list-time", 1, true))
  end)
end)
