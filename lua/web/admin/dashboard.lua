--- «Сводка»: four numbers, revenue by day, health, what needs attention. And the search of the header.
local contract = require "contracts.admin.summary"
local host = host
local page = require "web.admin.page"
local search_objects = require "contracts.admin.search"
local show = require "web.admin.show"
local view = require "kit.view"

local dashboard = {}

local PERIODS = { { "today", "Сегодня" }, { "7", "7 дн" }, { "30", "30 дн" } }

local function change(now, before)
  if before == 0 then return now == 0 and "как раньше" or "раньше не было" end
  local percent = math.floor((now - before) / math.abs(before) * 100 + 0.5)
  return ("%s%d %% к прошлому периоду"):format(percent > 0 and "+" or percent < 0 and "−" or "", math.abs(percent))
end

local function day_key(seconds)
  local at = host.time.parts(seconds, host.config.timezone)
  return ("%04d-%02d-%02d"):format(at.year, at.month, at.day)
end

-- Every day of the period, those on which nothing happened too.
local function days_of(output)
  local by_day, list = {}, {}
  for _, row in ipairs(output.summary.days) do by_day[row.day] = row end
  for i = 0, output.days - 1 do
    local seconds = output.period.from + i * 86400 + 43200
    local day = by_day[day_key(seconds)] or { paid = 0, refunded = 0, responses = 0 }
    list[i + 1] = { seconds = seconds, paid = day.paid, refunded = day.refunded, responses = day.responses,
      revenue = day.paid - day.refunded }
  end
  return list
end

local WIDTH, HEIGHT = 620, 160

-- Bars of one number of the days; a day on which more was given back than paid has none, the table tells.
local function chart(days, name, shown)
  local highest, best = 0, nil
  for _, day in ipairs(days) do
    if day[name] > highest then highest, best = day[name], day end
  end
  local step, bars = WIDTH / #days, {}
  for i, day in ipairs(days) do
    local height = math.max(0, day[name]) / math.max(1, highest) * (HEIGHT - 10)
    bars[i] = ('<rect class="bar" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s: %s</title></rect>'):format(
      (i - 1) * step + step * 0.1, HEIGHT - height, step * 0.8, height, show.day_text(day.seconds), shown(day[name]))
  end
  return { bars = view.html(table.concat(bars)), best = best and { day = show.day_text(best.seconds), value = shown(best[name]) },
    width = WIDTH, height = HEIGHT }
end

local HEALTH = { closed = { "отвечает", "ok" }, open = { "не отвечает", "fail" }, half_open = { "проверяем", "warn" } }

local function health(summary)
  local badges = {}
  local function put(name, words) badges[#badges + 1] = show.badge(name .. ": " .. words[1], words[2]) end
  local function up(is_up) return HEALTH[is_up and "closed" or "open"] end
  put("Биржа", HEALTH[summary.health.cargotech])
  put("ЮKassa", HEALTH[summary.health.yookassa])
  put("Telegram", { "ждут " .. show.count(summary.outbox.waiting), summary.outbox.oldest_s > 300 and "fail" or "ok" })
  put("Redis", up(summary.health.redis))
  put("Postgres", up(summary.health.postgres))
  return badges
end

local function attention(summary)
  local list = {}
  local function put(count, text, href)
    if count > 0 then list[#list + 1] = { text = text:format(show.count(count)), href = href } end
  end
  put(summary.outbox.dead, "не доставлено сообщений: %s", "/admin/outbox?show=dead")
  put(summary.attention.stuck, "платежей ждут больше часа: %s", "/admin/payments?status=pending")
  put(summary.attention.mismatches, "уведомлений ЮKassa не сошлось за неделю: %s", "/admin/audit?type=gateway")
  put(summary.attention.jobs, "заданий с неудачей: %s", "/admin/jobs")
  put(summary.reload_rejected and 1 or 0, "последнее перечитывание отказано", "/admin/rules")
  return list
end

function dashboard.show(context)
  local output, problem = contract(context.query, context)
  if not output and problem.code == "invalid_input" then output = contract({}, context) end
  if not output then return nil, problem end
  local summary, days = output.summary, days_of(output)
  return page.whole("dashboard", {
    summary = summary, days = days, revenue = chart(days, "revenue", show.roubles),
    responses = chart(days, "responses", show.count), health = health(summary), attention = attention(summary),
    periods = PERIODS, name = output.name, change = change, from = day_key(output.period.from),
    to = day_key(output.period.to - 43200),
  }, { title = "Сводка", nav = "summary", problem = problem, status = problem and 422 }, context)
end

--- The header's search: one hit opens, several are shown.
function dashboard.search(context)
  local found, problem = search_objects({ find = context.query.find }, context)
  if not found then return nil, problem end
  if #found.hits == 1 then return { redirect = found.hits[1].href } end
  return page.whole("search", { hits = found.hits, words = context.query.find }, { title = "Поиск" }, context)
end

return dashboard
