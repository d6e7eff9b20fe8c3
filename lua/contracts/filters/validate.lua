--- Contract 3.1 (a rule): what a driver typed becomes filters, or every wrong field is named.
local contract = require "kit.contract"
local failure = require "kit.failure"
local rules = require "kit.rules"
local schema = require "kit.schema"

return contract {
  name = "filters.validate", number = "3.1", access = "internal",
  about = "Check the list's filters; lua/rules/filters.lua says which there are.",
  input = rules.filters.fields, raw_input = true,
  errors = { invalid_filter = 400 },

  run = function(values)
    local filters, problems = schema.parse(rules.filters.fields, values)
    if filters then return filters end
    return nil, failure("invalid_filter", { fields = problems })
  end,
}
