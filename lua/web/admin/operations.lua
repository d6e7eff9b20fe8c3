--- Queue, jobs, cache and exchange, rules and plugins.
local contracts = require "contracts.admin.operations"
local host = host
local journal_words = require "web.admin.journal_words"
local lists = require "web.admin.list"
local page = require "web.admin.page"
local show = require "web.admin.show"
local view = require "kit.view"

local operations = {}

-- ---- queue ----

local STATES = { waiting = { "ждёт", "warn" }, sending = { "отправляется", "warn" }, sent = { "отправлено", "ok" },
  dead = { "не доставлено", "fail" } }

local function state(row)
  local words = STATES[row.state]
  local badge = show.badge(words[1], words[2])
  if row.attempts == 0 then return badge end
  local next_time = row.state == "waiting" and ", следующая " .. show.time(row.next_at)[1] or ""
  return view.html(('%s<br><small class="muted">попыток: %d%s</small>'):format(badge[1], row.attempts, next_time))
end

local function entry_actions(row, context)
  if row.state ~= "dead" or context.admin.role ~= "admin" then return "—" end
  return page.part("parts/entry_actions", { row = row, csrf = page.csrf(context),
    text = show.raw("Сообщение", row.payload) })
end

-- Belongs to the form above the list.
local function choice(row)
  if row.state ~= "dead" then return "" end
  return view.html(('<input type="checkbox" name="ids" value="%s" form="retry-selected" aria-label="Выбрать сообщение %s">'):format(row.id,
    row.id))
end

local function retry_form(depth, context)
  if context.admin.role ~= "admin" or depth.dead == 0 then return "" end
  return page.part("parts/retry_selected", { csrf = page.csrf(context) })[1]
end

local OUTBOX = {
  path = "/admin/outbox", nav = "outbox", title = "Очередь и недоставленные", contract = contracts.outbox,
  filters = {
    { name = "show", label = "Какие", options = { { "", "Все" }, { "dead", "Не доставлены" }, { "open", "Ждут" },
      { "sent", "Отправлены" } } },
    { name = "kind", label = "Вид" },
    { name = "q", label = "Кому (chat_key)" },
  },
  above = function(output, context)
    local depth = output.depth
    if not depth then return nil end
    return view.html(("<p class=\"health\">%s %s %s</p><br>%s"):format(
      show.badge("ждут " .. show.count(depth.waiting), depth.waiting > 0 and "warn" or "ok")[1],
      show.badge("не доставлено " .. show.count(depth.dead), depth.dead > 0 and "fail" or "ok")[1],
      show.badge(("старейшее ждёт %d с"):format(depth.oldest_s), depth.oldest_s > 300 and "fail" or "none")[1],
      retry_form(depth, context)))
  end,
  empty = "Сообщений ещё не было.",
}

function operations.outbox(context, request, problem)
  local list = setmetatable({ columns = {
    { title = "Что", value = function(row) return row.kind end },
    { title = "Кому", value = function(row) return #row.chat_key > 20 and show.id(row.chat_key) or row.chat_key end },
    { title = "Состояние", value = state },
    { title = "Ошибка", value = function(row) return row.last_error or "—" end },
    { title = "Создано", sort = "id", extra = true, value = function(row) return show.time(row.created_at) end },
    { title = "Действия", value = function(row) return entry_actions(row, context) end },
  } }, { __index = OUTBOX })
  if context.admin.role == "admin" then table.insert(list.columns, 1, { title = "Выбор", value = choice }) end
  return lists.page(list)(context, request, problem)
end

--- An action of the panel that leads back to a page with a notice, or says what went wrong there.
--- @param back {path: string, page: string}  where to, and its function here
--- @param sentences table<string, string>  codes of failures the page tells of
function operations.action(contract, back, done_code, sentences)
  return function(context, request)
    local input = {}
    for _, values in ipairs { context.form, context.params } do
      for name, value in pairs(values) do input[name] = value end
    end
    local done, problem = contract(input, context)
    if done then return page.go(back.path, done_code) end
    if not sentences[problem.code] then return nil, problem end
    problem.message = sentences[problem.code]
    return operations[back.page](context, request, problem)
  end
end

local NOT_DEAD = { not_dead = "Это сообщение уже не среди недоставленных.", not_found = "Такого сообщения нет." }
operations.retry = operations.action(contracts.retry, { path = "/admin/outbox?show=dead", page = "outbox" }, "retried", NOT_DEAD)
operations.retry_selected = operations.action(contracts.retry_selected, { path = "/admin/outbox?show=dead", page = "outbox" }, "retried",
  { invalid_input = "Отметьте сообщения, которые отправить снова." })
operations.drop = operations.action(contracts.drop, { path = "/admin/outbox?show=dead", page = "outbox" }, "dropped", NOT_DEAD)

-- ---- jobs ----

local function iso_ago(text)
  return show.ago(text and host.time.parse_iso8601(text))
end

local function whole(name, values, title, nav, problem, context)
  return page.whole(name, values, { title = title, nav = nav, problem = problem,
    status = problem and (problem.status or 422) }, context)
end

function operations.jobs(context, _, problem)
  local output, why = contracts.jobs({}, context)
  if not output then return nil, why end
  return whole("jobs", { jobs = output.jobs, ago = iso_ago, words = journal_words.jobs }, "Задания", "jobs", problem, context)
end

operations.run_job = operations.action(contracts.run_job, { path = "/admin/jobs", page = "jobs" }, "job_done",
  { job_failed = "Задание не удалось: причина в таблице и в логе." })

-- ---- cache and exchange ----

local BREAKER = { closed = { "работает", "ok" }, open = { "не отвечает, пауза", "fail" }, half_open = { "проверяем", "warn" } }

local function breaker(state_name)
  local words = BREAKER[state_name] or { state_name, "none" }
  return show.badge(words[1], words[2])
end

function operations.cache(context, _, problem)
  local asked = { driver = context.query.driver or context.form and context.form.driver }
  local cache, why = contracts.cache(asked, context)
  if not cache and why.code == "invalid_input" then
    problem, cache = problem or why, contracts.cache({}, context)
  end
  if not cache then return nil, why end
  return whole("cache", { cache = cache, breaker = breaker, asked = asked.driver }, "Кэш и биржа", "cache", problem, context)
end

function operations.clear_lists(context)
  local done, problem = contracts.clear_lists(context.form, context)
  if not done then return nil, problem end
  return page.go("/admin/cache?driver=" .. context.form.driver, "cache_cleared")
end

operations.drop_token = operations.action(contracts.drop_token, { path = "/admin/cache", page = "cache" }, "token_dropped", {})

-- ---- rules and plugins ----

local function refusals(server)
  local list = {}
  for i, reload in ipairs(server.reloads or {}) do
    list[i] = { ok = reload.ok, at = reload.at, generation = reload.generation, hash = reload.hash,
      origin = journal_words.origins[reload.origin] or reload.origin, lines = show.places(reload.reason or "") }
  end
  return list
end

local function settings_text(plugin)
  return host.json.encode(plugin.config, { sorted = true })
end

local MEASURES = { { "Запросов", "requests" }, { "Ответов с ошибкой", "errors", true }, { "Сбоев правил", "failures", true },
  { "95 % быстрее, мс", "p95_ms" } }

-- Both sides of a canary, a row a measure.
local function canary_rows(canary)
  local rows = {}
  for i, measure in ipairs(MEASURES) do
    local function cell(side)
      local count = show.count(side[measure[2]])
      return measure[3] and side[measure[2]] > 0 and show.badge(count, "fail") or count
    end
    rows[i] = { title = measure[1], candidate = cell(canary.candidate), live = cell(canary.live) }
  end
  return rows
end

local SHARE_MAX = 40

-- «10%», «водители 7, 8».
local function share_text(share)
  local ids, found = share:gsub("^%a+:", "")
  if found == 0 then return share end
  local text = "водители " .. ids:gsub(",", ", ")
  return #text <= SHARE_MAX and text or ("%d по списку"):format(select(2, ids:gsub("%d+", "")))
end

-- The canary that stands, or the form for one.
local function canary_part(server, context)
  local standing = server.canary
  if standing then
    standing.left = ("%d:%02d"):format(math.floor(standing.left_s / 60), standing.left_s % 60)
    standing.rows, standing.who = canary_rows(standing), share_text(standing.share)
    standing.complaint = show.places(standing.complaint)
  end
  return page.part("parts/canary", { canary = standing, live = server.generation, csrf = page.csrf(context),
    can_act = context.admin.role == "admin" })
end

--- @param outcome? table  what a reload or the begin of a canary was refused for
function operations.rules(context, _, problem, outcome)
  local output, why = contracts.server({}, context)
  if not output then return nil, why end
  local problems = show.places(table.concat(outcome and outcome.problems or {}, "\n"))
  local shown = whole("rules", { server = output.server, rules = output.rules, plugins = output.plugins, reloads = refusals(output.server),
    canary = canary_part(output.server, context), rejected = outcome and not outcome.ok and problems or nil,
    settings = settings_text }, "Правила и плагины", "rules", problem, context)
  if outcome then shown.status = 422 end
  return shown
end

function operations.reload(context, request)
  local outcome, problem = contracts.reload({}, context)
  if not outcome then return nil, problem end
  if outcome.ok then return page.go("/admin/rules", "reloaded") end
  return operations.rules(context, request, nil, outcome)
end

return operations
