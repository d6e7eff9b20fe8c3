local access = require("tool.world").rule "access"

describe("rules.access", function()
  it("gives list and detail to all, contacts and responses to subscribers", function()
    assert.same({ list = true, detail = true, view_contacts = false, respond = false }, access.all { active = false })
    assert.same({ list = true, detail = true, view_contacts = true, respond = true }, access.all { active = true })
    assert.is_false(access.allowed("no_such_feature", { active = true }))
  end)

  it("hides the digits of phones in a comment and nothing else", function()
    for comment, masked in pairs {
      ["Звонить +7 (999) 888-77-66"] = "Звонить +• (•••) •••-••-••",
      ["89998887766 Иван"] = "••••••••••• Иван",
      ["тел. 555-35-35"] = "тел. •••-••-••",
      ["Ремни 10 шт, 26.01.2026 08:00"] = "Ремни 10 шт, 26.01.2026 08:00",
      ["20 т, 86 м3, 1350000 р"] = "20 т, 86 м3, 1350000 р",
      ["8–999–888–77–66"] = "•–•••–•••–••–••",
      ["8\226\128\145999\226\128\145888\226\128\14577\226\128\14566"] = "•\226\128\145•••\226\128\145•••\226\128\145••\226\128\145••",
      ["8 (999) 888 — 77 — 66"] = "• (•••) ••• — •• — ••",
      ["8\226\128\175999\226\128\137888 77 66"] = "•\226\128\175•••\226\128\137••• •• ••",
      ["8\t999\t8887766"] = "•\t•••\t•••••••",
      ["тел. 555–35–35"] = "тел. •••–••–••",
      ["+7.999.12.34.5678"] = "+•.•••.••.••.••••",
      ["26.01.2026 8 999 888-77-66 до 27.01.2026"] = "26.01.2026 • ••• •••-••-•• до 27.01.2026",
    } do
      assert.equal(masked, access.mask_phones(comment))
    end
  end)
end)
