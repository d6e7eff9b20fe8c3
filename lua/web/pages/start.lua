--- The page of the Mini App and the app inside it. With a live session the list is in the first HTML; without one the
--- page logs in and the app replaces its skeleton.
local billing = require "web.pages.billing"
local cargos = require "web.pages.cargos"
local filters_page = require "web.pages.filters"
local find_bot = require "contracts.bot.find_bot"
local host = host
local list_cargos = require "contracts.cargo.list_cargos"
local page = require "web.pages.page"
local responses = require "web.pages.responses"
local rules = require "kit.rules"
local show_me = require "contracts.account.show_me"
local show_paywall = require "contracts.billing.show_paywall"
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

local function bot_url(payment)
  return find_bot.run({ payment = payment }).url
end

local function app_values(context)
  local me = show_me.run({}, context)
  if me and context.is_page then context.language = rules.texts.language_of(me.driver.language_code) end
  local filters = usable_filters(me and me.filters or {})
  local form = filters_page.form(filters, context)
  form.results = first_results(filters, context)
  form.driver_id, form.start_param, form.bot_url = context.driver_id, context.start_param, bot_url()
  form.chips = filters_page.chips(filters, context)
  form.news = me and responses.news(context) -- without the database there is no second wait for it
  return form
end

local function document(name, values, context)
  local body = page.render(name, values, context)
  return page.render("layout", { body = body, title = rules.texts.say("title", context.language) }, context)
end

--- The app for the driver who has just logged in: replaces #app.
function start.app(_, context)
  context.language = rules.texts.language_of(context.driver and context.driver.language_code)
  return page.render("app", app_values(context), context)
end

local function offers_dev_login(context)
  return host.config.dev_login and host.config.env ~= "production" and context.is_local
end

-- A page speaks the driver's language once it knows the driver, and Russian until then: what a browser prefers says
-- little about who drives the truck.
local function speak_russian(context)
  context.language = rules.texts.language_of(nil)
end

--- GET /: the whole document.
function start.shell(_, context)
  context.is_page = true
  speak_russian(context)
  if context.driver_id then return document("app", app_values(context), context) end
  return document("waiting", { dev = offers_dev_login(context), bot_url = bot_url() }, context)
end

--- GET /paywall: the subscription as a page of its own.
function start.paywall(_, context)
  local me = context.driver_id and show_me.run({}, context)
  context.language = rules.texts.language_of(me and me.driver.language_code)
  local screen = context.driver_id and show_paywall.run({}, context)
  return document("billing/page", {
    screen = screen and billing.paywall(screen, context), driver_id = context.driver_id, bot_url = bot_url(),
  }, context)
end

--- GET /payments/return: where the payment service sends the browser, which knows nothing of the session.
function start.returned(_, context)
  speak_russian(context)
  local payment = tostring(context.query.payment or "")
  local body = page.render("billing/returned", { bot_url = bot_url(page.is_uuid(payment) and payment or nil) }, context)
  return page.render("layout", { body = body, title = rules.texts.say("subscription", context.language), plain = true },
    context)
end

return start
