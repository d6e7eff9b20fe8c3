--- Promo codes: the list with the form of a new one, one code with its uses.
local contracts = require "contracts.admin.promo_codes"
local host = host
local lists = require "web.admin.list"
local page = require "web.admin.page"
local rules = require "kit.rules"
local show = require "web.admin.show"

local promo = {}

local ACTIONS = { { "extend_30", "+30 дней" }, { "extend_60", "+60 дней" }, { "extend_90", "+90 дней" },
  { "activate_trial", "Пробный период, 7 дней" } }

local REASONS = { promo_already_used = "уже применял", promo_not_started = "ещё не начался", promo_expired = "срок прошёл",
  promo_exhausted = "разобрали", trial_not_available = "пробный период уже был", promo_not_found = "такого нет" }

local function action_text(code)
  for _, action in ipairs(ACTIONS) do
    if action[1] == code then return action[2] end
  end
  return code
end

local function state(row)
  local now = host.time.now()
  if row.deactivated_at then return show.badge("отключён", "fail") end
  if row.valid_until <= now then return show.badge("закончился", "none") end
  if row.uses >= row.max_uses then return show.badge("разобран", "none") end
  if row.valid_from > now then return show.badge("ещё не начался", "warn") end
  return show.badge("действует", "ok")
end

local function date(seconds)
  local at = host.time.parts(seconds, host.config.timezone)
  return ("%04d-%02d-%02d"):format(at.year, at.month, at.day)
end

-- What was typed comes back after a refusal.
local function form(context)
  local now = host.time.now()
  local typed = context.form or {}
  return page.part("parts/promo_form", {
    csrf = page.csrf(context), actions = ACTIONS, open = context.form ~= nil, typed = {
      code = typed.code, action = typed.action or "extend_30", max_uses = typed.max_uses or "100",
      valid_from = typed.valid_from or date(now), valid_until = typed.valid_until or date(now + 30 * 86400),
      description = typed.description,
    },
  })
end

promo.list = lists.page {
  path = "/admin/promo-codes", nav = "promo", title = "Промокоды", contract = contracts.list,
  filters = {
    { name = "q", label = "Код" },
    { name = "show", label = "Какие", options = { { "", "Все" }, { "live", "Действуют" }, { "ended", "Закончились" } } },
  },
  columns = {
    { title = "Код", value = function(row) return show.link("/admin/promo-codes/" .. row.code, row.code) end },
    { title = "Действие", value = function(row) return action_text(row.action) end },
    { title = "Применён", number = true, value = function(row)
      return show.count(row.uses) .. " / " .. show.count(row.max_uses)
    end },
    { title = "До", sort = "until", value = function(row) return show.day(row.valid_until - 1) end },
    { title = "Состояние", extra = true, value = state },
    { title = "Создан", sort = "created", extra = true, value = function(row) return show.time(row.created_at) end },
    { title = "Кем", extra = true, value = function(row) return row.created_by or "—" end },
  },
  above = function(_, context) return context.admin.role == "admin" and form(context) or nil end,
  empty = "Промокодов ещё не было.",
}

function promo.one(context)
  local row, problem = contracts.show({ code = rules.promo.normalised(context.params.code) }, context)
  if not row then return nil, problem end
  return page.whole("promo_code", { promo = row, state = state(row), action = action_text(row.action), reasons = REASONS },
    { title = "Промокод " .. row.code, nav = "promo" }, context)
end

local LABELS = { code = "Код", valid_from = "Начало", valid_until = "Конец", max_uses = "Сколько раз", action = "Действие" }

function promo.create(context, request)
  local row, problem = contracts.create(context.form, context)
  if row then return page.go("/admin/promo-codes/" .. row.code, "promo_created") end
  if problem.code == "promo_exists" then problem.message = "Такой промокод уже есть." end
  for _, field in ipairs(problem.fields or {}) do field.label = LABELS[field.field] end
  if problem.code ~= "invalid_input" and problem.code ~= "promo_exists" then return nil, problem end
  return promo.list(context, request, problem)
end

function promo.close(context)
  local done, problem = contracts.close(context.params, context)
  if not done then return nil, problem end
  return page.go("/admin/promo-codes/" .. context.params.code, "promo_closed")
end

return promo
