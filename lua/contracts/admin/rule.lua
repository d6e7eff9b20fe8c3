--- One rule: its live source, and a draft of it tried without going live.
local admin_rules = require "services.admin_rules"
local promise = require "contracts.admin.promise"

local name = { type = "string", required = true, pattern = "^[%w_]+$", max_length = 60 }

return {
  show = promise {
    name = "admin.show_rule", about = "A rule's source.", role = "viewer", input = { name = name },
    errors = { not_found = 404 },
    run = function(input) return admin_rules.find(input.name) end,
  },

  try = promise {
    name = "admin.try_rule", about = "What a draft of a rule makes of a sample or a cargo.", role = "admin",
    input = {
      name = name, source = { type = "string", required = true, max_length = 200000, trim = false },
      ["function"] = { type = "string", required = true, pattern = "^[%w_]+$", max_length = 60 },
      arguments = { type = "string", default = "[]", max_length = 200000 },
      cargo = { type = "string", pattern = "^%d+$", max_length = 18 },
    },
    errors = { not_found = 404, cargo_not_found = 404, invalid_arguments = 422, rule_failed = 422,
      upstream_unavailable = 502, upstream_auth_failed = 502 },
    run = function(input) return admin_rules.try(input) end,
  },
}
