--- Contract 5.4, first half: make a promo code.
local contract = require "kit.contract"
local failure = require "kit.failure"
local promo_codes = require "services.promo_codes"
local rules = require "kit.rules"
local host = host

local function read_times(input)
  local from, until_ = host.time.parse_iso8601(input.valid_from or ""), host.time.parse_iso8601(input.valid_until)
  if input.valid_from and not from then return nil, { { field = "valid_from", code = "date_time" } } end
  if not until_ then return nil, { { field = "valid_until", code = "date_time" } } end
  return { from = from or host.time.now(), until_ = until_ }
end

local function refused(fields)
  return nil, failure("invalid_input", { fields = fields })
end

-- The rule's problems as fields, sorted.
local function field_list(problems)
  local fields = {}
  for field, code in pairs(problems) do fields[#fields + 1] = { field = field, code = code, details = { min = 1 } } end
  table.sort(fields, function(a, b) return a.field < b.field end)
  return fields
end

return contract {
  name = "billing.create_promo_code", number = "5.4", access = "admin",
  about = "Make a promo code, given or of 12 random characters.",
  input = {
    code = { type = "string", max_length = 64 },
    action = { type = "string", required = true,
      one_of = { "extend_30", "extend_60", "extend_90", "activate_trial" } },
    valid_from = { type = "string", about = "ISO 8601 with zone; now when not said" },
    valid_until = { type = "string", required = true, about = "ISO 8601 with zone" },
    max_uses = { type = "integer", required = true, min = 1, max = 1000000 },
    description = { type = "string", max_length = 255 },
  },
  output = {
    code = { type = "string" }, action = { type = "string" }, days = { type = "integer" },
    valid_from = { type = "string" }, valid_until = { type = "string" }, max_uses = { type = "integer" },
    uses = { type = "integer" },
  },
  errors = { promo_exists = 409, database_unavailable = 503 },

  run = function(input, context)
    local times, fields = read_times(input)
    if not times then return refused(fields) end
    local wanted = {
      code = input.code and rules.promo.normalised(input.code), action = input.action, max_uses = input.max_uses,
      valid_from = times.from, valid_until = times.until_, description = input.description,
    }
    fields = field_list(rules.promo.problems(wanted, host.time.now()))
    if #fields > 0 then return refused(fields) end
    local row, problem = promo_codes.create(wanted, { type = "admin", id = context.admin_login }, context)
    if not row then return nil, problem end
    return {
      code = row.code, action = row.action, days = row.days, max_uses = row.max_uses, uses = row.uses,
      valid_from = host.time.iso8601(row.valid_from), valid_until = host.time.iso8601(row.valid_until),
    }
  end,
}
