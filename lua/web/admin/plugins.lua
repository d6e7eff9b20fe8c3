--- One plugin: the form of its settings made from its schema, and its switch.
local contracts = require "contracts.admin.plugins"
local page = require "web.admin.page"
local show = require "web.admin.show"

local plugins = {}

local LONG_TEXT = 120

local function shown_value(value)
  if value == nil then return "—" end
  if type(value) == "boolean" then return value and "да" or "нет" end
  if type(value) ~= "table" then return tostring(value) end
  return #value == 0 and "пусто" or table.concat(value, ", ")
end

-- What stands in the control: what was typed, else what is in force.
local function control_text(field, typed)
  if typed then return typed end
  if field.type == "secret" or field.value == nil then return "" end
  return type(field.value) == "table" and table.concat(field.value, "\n") or tostring(field.value)
end

local function control_of(field)
  if field.type == "boolean" then return "select", { { "true", "да" }, { "false", "нет" } } end
  if field.one_of then
    local options = {}
    for i, value in ipairs(field.one_of) do options[i] = { tostring(value), tostring(value) } end
    return "select", options
  end
  if field.type == "list" then return "lines" end
  if field.type == "string" and (not field.max or field.max > LONG_TEXT) then return "lines" end
  return field.type
end

local function origin_of(field)
  if field.is_stored then return show.badge("из панели", "info") end
  return show.badge(field.place and "из файла" or "по умолчанию", "none")
end

local function limits_of(field)
  local limits = show.limits(field)
  if field.type ~= "list" then return limits end
  return (limits and limits .. ", " or "") .. "по одному в строке"
end

local function row_of(field, typed, wrong)
  local control, options = control_of(field)
  return {
    field = field, control = control, options = options, text = control_text(field, typed), wrong = wrong, origin = origin_of(field),
    in_force = field.type == "secret" and (field.is_given and "задан, не показывается" or "не задан") or shown_value(field.value),
    by_file = field.type ~= "secret" and shown_value(field.by_file) or nil, limits = limits_of(field),
    rows = field.type == "list" and math.min(8, math.max(2, type(field.value) == "table" and #field.value + 1 or 2)) or 2,
  }
end

local NEEDED = { integer = "нужно целое число", number = "нужно число", boolean = "нужно да или нет",
  url = "нужен адрес вида https://host/path" }

local function refusal(field, problem)
  if problem.code == "kind" then return NEEDED[field.type] or "нужен текст" end
  if problem.code == "missing" then return "обязательно" end
  if problem.code == "one_of" then return "одно из: " .. table.concat(field.one_of, ", ") end
  if problem.code == "min" or problem.code == "max" then
    return show.limits { type = field.type, [problem.code] = field[problem.code] }
  end
  return "плагин не принял: " .. problem.text
end

-- Put what is wrong with each field into words.
local function explain(plugin, problem)
  local fields = {}
  for _, field in ipairs(plugin.fields) do fields[field.key] = field end
  for _, wrong in ipairs(problem and problem.fields or {}) do
    if fields[wrong.field] then wrong.message = refusal(fields[wrong.field], wrong) end
  end
end

local function rows_of(plugin, form, problem)
  local wrong, rows = {}, {}
  for _, field in ipairs(problem and problem.fields or {}) do wrong[field.field] = field.message end
  for i, field in ipairs(plugin.fields) do
    local typed = form and field.type ~= "secret" and form["set_" .. field.key] -- a secret is not sent back
    rows[i] = row_of(field, type(typed) == "string" and typed or nil, wrong[field.key])
  end
  return rows
end

function plugins.show(context, _, problem)
  local plugin, why = contracts.show(context.params, context)
  if not plugin then return nil, why end
  explain(plugin, problem)
  return page.whole("plugin", {
    plugin = plugin, about = plugin.about, rows = rows_of(plugin, context.form, problem),
    problem_text = problem and problem.refused_by_plugin,
  }, { title = "Плагин " .. plugin.name, nav = "rules", problem = problem, status = problem and (problem.status or 422) }, context)
end

local SENTENCES = {
  invalid_input = "Не сохранено: ничего не изменилось. Исправьте отмеченное.",
  changed_meanwhile = "Не сохранено: пока вы правили, настройки изменил кто-то ещё. Под полями — то, что действует сейчас; "
    .. "ваш ввод остался в полях, его можно сохранить поверх.",
  encryption_key_missing = "Не сохранено: у сервера нет ключа SETTINGS_ENCRYPTION_KEY, секрет негде хранить.",
}

-- Back on the page, with what went wrong and what was typed.
local function stay(context, request, problem)
  if not SENTENCES[problem.code] then return nil, problem end
  problem.message = SENTENCES[problem.code]
  if problem.refused_by_plugin then problem.message = "Не сохранено: плагин не принял такие настройки. Ничего не изменилось." end
  return plugins.show(context, request, problem)
end

local function done(context, result, code)
  local notice = result.changed == 0 and "unchanged" or code
  return page.go("/admin/plugins/" .. context.params.name, notice)
end

function plugins.save(context, request)
  context.form.name = context.params.name
  local saved, problem = contracts.save(context.form, context)
  if not saved then return stay(context, request, problem) end
  return done(context, saved, "saved")
end

function plugins.reset(context, request)
  local saved, problem = contracts.reset({ name = context.params.name, key = context.form.key, version = context.form.version }, context)
  context.form = nil
  if not saved then return stay(context, request, problem) end
  return done(context, saved, "as_in_file")
end

function plugins.switch(context)
  local saved, problem = contracts.switch({ name = context.params.name, enabled = context.form.enabled }, context)
  if not saved then return nil, problem end
  return done(context, saved, context.form.enabled == "true" and "plugin_on" or "plugin_off")
end

return plugins
