--- Any id finds its object: driver, payment, cargo, promo code, request.
local admin_search = require "services.admin_search"
local promise = require "contracts.admin.promise"

return promise {
  name = "admin.search", about = "Find an object by what is known of it.", role = "viewer",
  input = { find = { type = "string", default = "", max_length = 100 } },
  run = function(input) return { hits = admin_search.find(input.find) } end,
}
