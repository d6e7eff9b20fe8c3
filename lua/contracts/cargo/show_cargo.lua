--- The detail of one cargo as this driver may see it: contacts and phones need access.
local card_fields = require "contracts.cargo.card_fields"
local contract = require "kit.contract"
local fetch_cargos = require "contracts.cargo.fetch_cargos"
local rules = require "kit.rules"
local subscriptions = require "services.subscriptions"

local function lock_contact(detail)
  detail.contact = {}
  detail.locked = { "contact" }
  if detail.comment then detail.comment = rules.call("access", "mask_phones", detail.comment) end
end

return contract {
  name = "cargo.show_cargo", access = "driver",
  about = "The card, comment, addresses, shipper, and the contact for those with access.",
  input = { id = { type = "string", required = true } },
  output = card_fields.detail,
  errors = {
    invalid_cargo_id = 400, cargo_not_found = 404, upstream_unavailable = 502, upstream_auth_failed = 502,
    rule_failed = 500,
  },

  run = function(input, context)
    local fetched, problem = fetch_cargos.detail({ id = input.id })
    if not fetched then return nil, problem end
    local language = context.wants == "html" and context.language or "ru"
    local detail
    detail, problem = rules.call("card", "detail", fetched.cargo, language)
    if not detail then return nil, problem or "cargo_not_found" end
    detail.locked = {}
    local features = subscriptions.of(context.driver_id).features
    if not features.view_contacts then lock_contact(detail) end
    return detail
  end,
}
