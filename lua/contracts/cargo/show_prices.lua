--- Fresh prices of cargos a driver already sees, and which of them are gone.
local cargo_pages = require "services.cargo_pages"
local contract = require "kit.contract"
local failure = require "kit.failure"
local format_card = require "contracts.cargo.format_card"
local rules = require "kit.rules"
local validate = require "contracts.filters.validate"
local host = host

local MAX_IDS = 200

local input = { seen_ids = { type = "string", about = "up to 200 ids, separated by commas" } }
for name, field in pairs(rules.filters.fields) do input[name] = field end

-- Digits only, each once, in order, the first 200.
local function read_ids(shown)
  local ids, wanted = {}, {}
  for id in (type(shown) == "string" and shown or ""):gmatch "[^,]+" do
    id = id:match "^%s*(%d+)%s*$"
    if id and #id <= 18 and not wanted[id] and #ids < MAX_IDS then
      ids[#ids + 1], wanted[id] = id, true
    end
  end
  return ids, wanted
end

return contract {
  name = "cargo.show_prices", access = "driver",
  about = "Prices of seen cargos from the pages everyone shares.",
  input = input,
  reader = function(values)
    local filters, problem = validate(values)
    if not filters then return nil, problem end
    return { filters = filters, seen_ids = values.seen_ids }
  end,
  output = { prices = { type = "object" }, gone = { type = "list", items = { type = "string" } } },
  errors = { invalid_filter = 400, upstream_unavailable = 502, upstream_auth_failed = 502 },

  run = function(asked, context)
    local ids, wanted = read_ids(asked.seen_ids)
    local prices, gone = {}, host.json.array {}
    if #ids == 0 then return { prices = prices, gone = gone } end
    local scan, problem = cargo_pages.find(asked.filters, wanted)
    if not scan then return nil, failure.of(problem) end
    context.priced_at = scan.oldest
    for _, id in ipairs(ids) do
      local card = scan.found[id] and format_card.run({ cargo = scan.found[id], language = context.language })
      if card then prices[id] = card.price elseif scan.complete then gone[#gone + 1] = id end
    end
    return { prices = prices, gone = gone }
  end,
}
