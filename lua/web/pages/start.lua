--- The page of the Mini App and the app inside it. With a live session the list is in the first HTML; without one the
--- page logs in and the app replaces its skeleton.
local cargos = require "web.pages.cargos"
local filters_page = require "web.pages.filters"
local host = host
local list_cargos = require "contracts.cargo.list_cargos"
local page = require "web.pages.page"
local rules = require "kit.rules"
local show_me = require "contracts.account.show_me"
local validate = require "contracts.filters.validate"

local start = {}

-- Remembered filters may be of an older rule: what it no longer takes is forgotten.
local function usable_filters(remembered)
  return validate(remembered) or validate {}
end

-- The first page when it is stored, else nothing: then the app loads it itself.
local function first_results(filters, context)
  local list = list_cargos.run(filters, {
    driver_id = context.driver_id, language = context.language, wants = "html", only_stored = true,
  })
  return list and cargos.results(list, context)
end

local function app_values(context)
  local me = show_me.run({}, context)
  local filters = usable_filters(me and me.filters or {})
  local form = filters_page.form(filters, context)
  form.results = first_results(filters, context)
  form.driver_id, form.start_param = context.driver_id, context.start_param
  form.flags = me and me.flags or {}
  form.chips = filters_page.chips(filters, context)
  return form, me
end

--- The app for the driver who has just logged in: replaces #app.
function start.app(_, context)
  context.language = rules.texts.language_of(context.driver and context.driver.language_code)
  local values = app_values(context)
  return page.render("app", values, context)
end

--- GET /: the whole document.
function start.shell(_, context)
  context.language = "ru"
  local body
  if context.driver_id then
    local me = show_me.run({}, context)
    if me then context.language = rules.texts.language_of(me.driver.language_code) end
    body = page.render("app", app_values(context), context)
  else
    local dev = host.config.dev_login and host.config.env ~= "production" and context.is_local
    body = page.render("waiting", { dev = dev }, context)
  end
  return page.render("layout", { body = body, title = rules.texts.say("title", context.language) }, context)
end

return start
