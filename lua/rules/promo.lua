-- Promo codes: what they give, what a code looks like, and when one may be made or used. Times are Unix seconds.

local DAYS = { extend_30 = 30, extend_60 = 60, extend_90 = 90, activate_trial = 7 }
local SKEW_S = 300 -- "from now" of a form filled in a few minutes ago
local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

--- A code as it is stored and compared: without spaces around, upper case.
local function normalised(code)
  return text.trim(code):upper()
end

local function is_code(code)
  return #code >= 6 and #code <= 50 and not code:find "[^A-Z0-9]"
end

--- What is wrong with a new code, field → problem code; {} when nothing is.
local function problems(code, now)
  local wrong = {}
  if code.code and not is_code(code.code) then wrong.code = "promo_code" end
  if not DAYS[code.action] then wrong.action = "one_of" end
  if code.valid_from < now - SKEW_S then wrong.valid_from = "in_the_past" end
  if code.valid_until <= code.valid_from then wrong.valid_until = "not_after_start" end
  if code.max_uses < 1 then wrong.max_uses = "min" end
  return wrong
end

--- Why a code cannot be used now; "" when it can. `code` is {valid_from, valid_until, uses, max_uses, is_active}.
local function refusal(code, now)
  if not code.is_active or now > code.valid_until then return "promo_expired" end
  if now < code.valid_from then return "promo_not_started" end
  if code.uses >= code.max_uses then return "promo_exhausted" end
  return ""
end

local LIVE = { is_active = true, valid_from = 100, valid_until = 200, uses = 0, max_uses = 1 }

return {
  days = DAYS, alphabet = ALPHABET, generated_length = 12,
  normalised = normalised, is_code = is_code, problems = problems, refusal = refusal,

  examples = {
    { "normalised", { " summer2026 " }, "SUMMER2026" },
    { "is_code", { "SUMMER2026" }, true },
    { "is_code", { "SHORT" }, false },
    { "is_code", { "ЛЕТО2026" }, false },
    { "refusal", { LIVE, 100 }, "" },
    { "refusal", { LIVE, 200 }, "" },
    { "refusal", { LIVE, 99 }, "promo_not_started" },
    { "refusal", { LIVE, 201 }, "promo_expired" },
    { "problems", { { action = "extend_30", valid_from = 700, valid_until = 800, max_uses = 1 }, 1000 }, {} },
    { "problems", { { action = "extend_30", valid_from = 699, valid_until = 699, max_uses = 0 }, 1000 },
      { valid_from = "in_the_past", valid_until = "not_after_start", max_uses = "min" } },
  },
}
