--- Contract 3.2 (a rule): filters become the parameters of the exchange.
local contract = require "kit.contract"
local rules = require "kit.rules"

return contract {
  name = "filters.build_query", number = "3.2", access = "internal",
  about = "Upstream parameters for filters; lua/rules/query.lua decides.",
  input = {}, raw_input = true,
  errors = { rule_failed = 500 },

  run = function(filters) return rules.call("query", "build", filters) end,
}
