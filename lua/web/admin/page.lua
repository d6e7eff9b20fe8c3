--- What the pages of the panel share: the frame around them, notices after an action, where to go next.
local host = host
local rules = require "kit.rules"
local show = require "web.admin.show"
local view = require "kit.view"

local page = {}

view.add_helper("show", show)
view.add_helper("attr", function(on, name) return on and view.html(" " .. name) or "" end)

--- The rail: groups of {id, path, title}.
local MENU = {
  { { "summary", "/admin/", "Сводка" } },
  { title = "Деньги", { "payments", "/admin/payments", "Платежи" },
    { "subscriptions", "/admin/subscriptions", "Подписки" }, { "promo", "/admin/promo-codes", "Промокоды" } },
  { title = "Люди", { "drivers", "/admin/drivers", "Водители" } },
  { title = "Обмен", { "outbox", "/admin/outbox", "Очередь" }, { "jobs", "/admin/jobs", "Задания" },
    { "cache", "/admin/cache", "Кэш и биржа" } },
  { title = "Настройки", { "settings", "/admin/settings", "Тарифы и оплата" }, { "flags", "/admin/flags", "Флаги" },
    { "rules", "/admin/rules", "Правила и плагины" } },
  { { "audit", "/admin/audit", "Журнал" } },
}

--- Sentences after an action; the address carries only their code.
local NOTICES = {
  refunded = "Возврат принят.", asked = "ЮKassa ответила, платёж сверен.",
  extended = "Подписка продлена.", revoked = "Подписка отозвана.",
  promo_created = "Промокод создан.", promo_closed = "Промокод отключён.",
  saved = "Сохранено.", unchanged = "Ничего не изменилось: всё уже так.", as_in_file = "Снова как в файле.",
  plugin_on = "Плагин включён.", plugin_off = "Плагин выключен.",
  reloaded = "Новое поколение работает.", canary_begun = "Часть водителей уже видит новое поколение.",
  canary_promoted = "Новое поколение работает для всех.", canary_withdrawn = "Пробное поколение снято.",
  sessions_ended = "Сессии закончены.",
  cache_cleared = "Списки очищены.", retried = "Поставлено в очередь заново.", dropped = "Отброшено.",
  job_done = "Задание выполнено.", token_dropped = "Доступ к бирже забыт, следующий вызов войдёт заново.",
}

--- The hidden field every form of an admin carries.
function page.csrf(context)
  return context.admin and view.html(('<input type="hidden" name="csrf" value="%s">'):format(context.admin.csrf))
end

--- A view alone, for parts of pages.
function page.part(name, values)
  return view.render("admin/" .. name, values)
end

local function problem_text(problem, context)
  if not problem then return nil end
  local lines = {}
  for _, field in ipairs(problem.fields or {}) do
    lines[#lines + 1] = (field.label or field.field) .. ": "
      .. (field.message or rules.texts.field(field.code, "ru", field.details))
  end
  local text = problem.message or rules.texts.problem(problem.code, "ru", { seconds = problem.retry_after_s or 1 })
  return { text = text, lines = lines, request_id = context.request_id }
end

--- A whole page: `name` is its view, `values` its names; what the frame needs comes from the context.
--- @param about {title: string, nav: string?, problem: table?, status: integer?}
function page.whole(name, values, about, context)
  values.can_act = context.admin and context.admin.role == "admin"
  values.csrf = page.csrf(context)
  local body = page.part(name, values)
  local markup = page.part("layout", {
    title = about.title, nav = about.nav, menu = MENU, body = body, admin = context.admin, csrf = values.csrf,
    problem = problem_text(about.problem, context), notice = NOTICES[context.query and context.query.done or ""],
    search = context.query and context.query.find, idle_s = context.admin and
      math.max(0, math.floor(context.admin.expires_at - host.time.now())),
  })
  return { html = markup, status = about.status }
end

--- After an action: back to a page of the panel, with a notice.
function page.go(path, done)
  if not done then return { redirect = path } end
  return { redirect = path .. (path:find("?", 1, true) and "&" or "?") .. "done=" .. done }
end

return page
