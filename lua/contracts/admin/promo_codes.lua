--- Promo codes: the list, one with its uses, making one, ending one.
local admin_promo_codes = require "services.admin_promo_codes"
local day = require "contracts.admin.day"
local failure = require "kit.failure"
local host = host
local list_fields = require "contracts.admin.list_fields"
local promise = require "contracts.admin.promise"
local rules = require "kit.rules"

local promo = {}

local code = { type = "string", required = true, pattern = "^[A-Z0-9]+$", max_length = 50 }

promo.list = promise {
  name = "admin.list_promo_codes", about = "Promo codes, newest first.", role = "viewer",
  input = list_fields { q = { type = "string", max_length = 50 }, show = { type = "string", one_of = { "live", "ended" } } },
  run = function(input) return admin_promo_codes.list(input) end,
}

promo.show = promise {
  name = "admin.show_promo_code", about = "One promo code and its uses.", role = "viewer",
  input = { code = code }, errors = { not_found = 404 },
  run = function(input) return admin_promo_codes.find(input.code) end,
}

local MESSAGES = {
  promo_code = "6–50 латинских букв и цифр", in_the_past = "уже прошло", not_after_start = "раньше начала",
}

local function refused(wrong)
  local fields = {}
  for name, problem in pairs(wrong) do
    fields[#fields + 1] = { field = name, code = problem, message = MESSAGES[problem], details = { min = 1 } }
  end
  return nil, failure("invalid_input", { fields = fields })
end

-- Today begins now: its midnight has passed.
local function moments(input)
  local from = math.max(day.start(input.valid_from), 0)
  local now = host.time.now()
  if from < now and day.finish(input.valid_from) > now then from = now end
  return from, day.finish(input.valid_until)
end

promo.create = promise {
  name = "admin.create_promo_code", about = "Make a promo code, given or random.", role = "admin",
  input = {
    code = { type = "string", max_length = 60 },
    action = { type = "string", required = true, one_of = { "extend_30", "extend_60", "extend_90", "activate_trial" } },
    valid_from = { type = "date", required = true }, valid_until = { type = "date", required = true },
    max_uses = { type = "integer", required = true, min = 1, max = 1000000 },
    description = { type = "string", default = "", max_length = 200 },
  },
  errors = { promo_exists = 409 },
  run = function(input, context)
    local wanted = { code = input.code and rules.promo.normalised(input.code), action = input.action,
      max_uses = input.max_uses, description = input.description }
    wanted.valid_from, wanted.valid_until = moments(input)
    local wrong = rules.promo.problems(wanted, host.time.now())
    if next(wrong) then return refused(wrong) end
    return admin_promo_codes.create(wanted, context)
  end,
}

promo.close = promise {
  name = "admin.close_promo_code", about = "No further use of a promo code.", role = "admin",
  input = { code = code }, errors = { promo_not_found = 404 },
  run = function(input, context)
    local done, problem = admin_promo_codes.close(input.code, context)
    if not done then return nil, problem end
    return {}
  end,
}

return promo
