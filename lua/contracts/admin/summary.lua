--- The numbers of a period of whole days.
local admin_summary = require "services.admin_summary"
local day = require "contracts.admin.day"
local failure = require "kit.failure"
local host = host
local promise = require "contracts.admin.promise"

local LENGTHS = { today = 1, ["7"] = 7, ["30"] = 30 }
local LONGEST_DAYS = 366

local function today()
  local at = host.time.parts(host.time.now(), host.config.timezone)
  return ("%04d-%02d-%02d"):format(at.year, at.month, at.day)
end

local function period_of(input)
  if input.from and input.to then return { from = day.start(input.from), to = day.finish(input.to) } end
  local finish = day.finish(today())
  local days = LENGTHS[input.period]
  return { from = day.start(today()) - (days - 1) * 86400, to = finish }
end

return promise {
  name = "admin.summary", about = "Revenue, subscriptions, responses, drivers, health.", role = "viewer",
  input = { period = { type = "string", default = "7", one_of = { "today", "7", "30" } },
    from = { type = "date" }, to = { type = "date" } },
  run = function(input)
    local period = period_of(input)
    local days = math.floor((period.to - period.from) / 86400 + 0.5)
    if days < 1 or days > LONGEST_DAYS then
      return nil, failure("invalid_input", { fields = { { field = "to", label = "Период", code = "max",
        details = { max = LONGEST_DAYS .. " дней" } } } })
    end
    local summary, problem = admin_summary.of(period)
    if not summary then return nil, problem end
    return { summary = summary, period = period, days = days, name = not input.from and input.period or nil }
  end,
}
