--- Tariffs and the gateway: a form, its preview with the difference, saving. Flags.
local contracts = require "contracts.admin.settings"
local host = host
local page = require "web.admin.page"
local rules = require "kit.rules"
local show = require "web.admin.show"

local settings = {}

local EMPTY_ROWS = 2

-- A tariff as the form holds it.
local function typed(tariff, i)
  return { name = tariff.name, title = tariff.title.ru, title_en = tariff.title.en, days = tariff.days,
    price = rules.tariffs.amount(tariff.price_kopecks):gsub("%.00$", ""), badge = tariff.badge,
    on_sale = tariff.on_sale ~= false, order = i }
end

local function rows_of_form(form)
  local rows = {}
  for i = 1, 12 do
    if form["name_" .. i] then
      rows[#rows + 1] = { name = form["name_" .. i], title = form["title_" .. i], title_en = form["title_en_" .. i],
        days = form["days_" .. i], price = form["price_" .. i], badge = form["badge_" .. i],
        on_sale = form["on_sale_" .. i] ~= nil, order = form["order_" .. i] }
    end
  end
  return rows
end

local function rows_of(tariffs)
  local rows = {}
  for i, tariff in ipairs(tariffs) do rows[i] = typed(tariff, i) end
  for _ = 1, EMPTY_ROWS do rows[#rows + 1] = { on_sale = true, order = #rows + 1 } end
  return rows
end

local function fields_of(tariff)
  if not tariff then return nil end
  return { days = tariff.days, price = show.roubles(tariff.price_kopecks), title = tariff.title.ru,
    badge = tariff.badge, ["в продаже"] = tariff.on_sale ~= false and "да" or "нет" }
end

local function by_name(list)
  local map = {}
  for _, tariff in ipairs(list) do map[tariff.name] = tariff end
  return map
end

-- {name, {field, before, after}…} of what would change.
local function difference(before, after)
  local changes, was, is = {}, by_name(before), by_name(after)
  local function compare(name)
    local old, new = fields_of(was[name]) or {}, fields_of(is[name]) or {}
    for _, field in ipairs { "title", "days", "price", "badge", "в продаже" } do
      if old[field] ~= new[field] then changes[#changes + 1] = { name .. " · " .. field, old[field], new[field] } end
    end
  end
  for _, tariff in ipairs(before) do compare(tariff.name) end
  for _, tariff in ipairs(after) do
    if not was[tariff.name] then compare(tariff.name) end
  end
  return changes
end

--- @param problem? table   what saving came to
--- @param preview? table   {tariffs, before}
function settings.show(context, _, problem, preview)
  local now, why = contracts.show({}, context)
  if not now then return nil, why end
  local flags
  flags, why = contracts.list_flags({}, context)
  if not flags then return nil, why end
  local selling = true
  for _, flag in ipairs(flags.flags) do
    if flag.name == "payments" then selling = flag.enabled end
  end
  return page.whole("settings", {
    rows = context.form and rows_of_form(context.form) or rows_of(now.tariffs), now = now, selling = selling, version = now.version,
    typed_shop = context.typed_shop, preview = preview,
    changes = preview and page.part("parts/diff", { changes = difference(preview.before, preview.tariffs) }),
    has_changes = preview and #difference(preview.before, preview.tariffs) > 0,
  }, { title = "Тарифы и оплата", nav = "settings", problem = problem, status = problem and (problem.status or 422) }, context)
end

--- @param stale? table  why this is shown again
function settings.preview(context, request, stale)
  local preview, problem = contracts.preview_tariffs(context.form, context)
  if not preview and problem.code ~= "invalid_input" then return nil, problem end
  return settings.show(context, request, problem or stale, preview)
end

function settings.save(context, request)
  if context.form.step == "preview" then return settings.preview(context, request) end
  local done, problem = contracts.save_tariffs(context.form, context)
  if done then return page.go("/admin/settings", "saved") end
  if problem.code == "changed_meanwhile" then
    problem.message = "Не сохранено: пока вы правили, тарифы изменил кто-то ещё. Ваш ввод в полях; посмотрите изменения и сохраните, "
      .. "если он верен."
    return settings.preview(context, request, problem)
  end
  if problem.code ~= "invalid_input" then return nil, problem end
  return settings.show(context, request, problem)
end

local LABELS = { shop_id = "Номер магазина", secret_key = "Секретный ключ", allow_list = "Список водителей",
  rollout_percent = "Процент" }

local function label(problem)
  for _, field in ipairs(problem.fields or {}) do field.label = LABELS[field.field] end
  return problem
end

function settings.save_gateway(context, request)
  local done, problem = contracts.save_gateway(context.form, context)
  if done then return page.go("/admin/settings", "saved") end
  if problem.code ~= "invalid_input" then return nil, problem end
  context.form, context.typed_shop = nil, context.form.shop_id -- a secret is not sent back
  return settings.show(context, request, label(problem))
end

-- The switch keeps the rest of its flag.
function settings.switch(context)
  local flags, problem = contracts.list_flags({}, context)
  if not flags then return nil, problem end
  for _, flag in ipairs(flags.flags) do
    if flag.name == "payments" then
      flag.enabled = context.form.enabled == "true"
      local done
      done, problem = contracts.save_flag(flag, context)
      if not done then return nil, problem end
    end
  end
  return page.go("/admin/settings", "saved")
end

-- ---- flags ----

--- @param problem? table  what saving a flag came to
--- @param sent? table     the form of that flag, when it is to be mended
function settings.flags(context, _, problem, sent)
  local output, why = contracts.list_flags({}, context)
  if not output then return nil, why end
  local turned = context.query.turned
  return page.whole("flags", { flags = output.flags, typed = sent or {}, turned = type(turned) == "string" and turned or nil,
    defaults = rules.flags.defaults, host = host },
    { title = "Флаги", nav = "flags", problem = problem, status = problem and (problem.status or 422) }, context)
end

function settings.save_flag(context, request)
  context.form.name = context.params.name
  local done, problem = contracts.save_flag(context.form, context)
  if done then return page.go("/admin/flags?turned=" .. context.params.name) end
  if problem.code == "changed_meanwhile" then
    problem.message = ("Не сохранено: флаг %s тем временем изменил кто-то ещё. Ниже — то, что действует сейчас."):format(
      context.params.name)
    return settings.flags(context, request, problem)
  end
  if problem.code ~= "invalid_input" then return nil, problem end
  return settings.flags(context, request, label(problem), context.form)
end

return settings
