local activate_subscription = require "contracts.billing.activate_subscription"
local paying = require "support.paying"

describe("5.3 billing.activate_subscription", function()
  it("gives access once and says what it did", function()
    local driver = paying.driver()
    local object = paying.object(paying.payment(driver), "succeeded")
    assert.equal("applied", assert(activate_subscription { object = object, cause = "webhook" }).outcome)
    assert.equal("unchanged", assert(activate_subscription { object = object, cause = "reconcile" }).outcome)
    assert.equal(1, #paying.grants(driver))
  end)
end)
