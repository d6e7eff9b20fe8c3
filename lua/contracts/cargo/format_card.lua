--- Contract 2.2 (a rule): a raw cargo becomes a card. One that cannot is skipped and counted; nothing breaks the page.
local card_fields = require "contracts.cargo.card_fields"
local contract = require "kit.contract"
local rules = require "kit.rules"
local host = host

return contract {
  name = "cargo.format_card", number = "2.2", access = "internal",
  about = "Card of a raw cargo; lua/rules/card.lua decides.",
  input = { cargo = { type = "any", required = true }, language = { type = "string", one_of = { "ru", "en" } } },
  output = card_fields.card,
  errors = { unusable_cargo = 422 },

  run = function(input)
    local card, problem = rules.call("card", "format", input.cargo, input.language)
    if card then return card end
    host.metrics.count("cargos_skipped_total", { reason = problem and "rule_failed" or "no_id" })
    return nil, "unusable_cargo"
  end,
}
