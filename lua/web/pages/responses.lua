--- Responses as HTML: the block `#resp` of a cargo's sheet, and the driver's list of them.
local count_news = require "contracts.bot.count_news"
local host = host
local page = require "web.pages.page"
local problems = require "web.pages.problems"
local rules = require "kit.rules"

local responses = {}

local TONES = {
  queued = "warn", sent = "info", accepted = "ok", rejected = "fail", completed = "ok", failed = "fail",
}

-- «отправлен 26 янв 10:15»; of what has not gone out yet only when it was made.
local function when(response, context)
  local seconds = host.time.parse_iso8601(response.sent_at or response.created_at)
  if not seconds then return "" end
  local time = page.short_date(seconds, context.language) .. " " .. page.clock(seconds)
  return response.sent_at and rules.texts.say("resp_when", context.language, { time = time }) or time
end

--- The number at «Отклики»; nil when it cannot be had, and then nothing is shown or changed.
function responses.news(context)
  local counted = count_news.run({}, context)
  return counted and counted.count
end

--- A status as a badge: word, icon and colour.
function responses.badge(status, context)
  return { status = status, tone = TONES[status], badge = rules.texts.bot("status_" .. status, context.language) }
end

local function decorate(response, context)
  local say, language = rules.texts.bot, context.language
  local age_s = host.time.now() - (host.time.parse_iso8601(response.created_at) or 0)
  for name, value in pairs(responses.badge(response.status, context)) do response[name] = value end
  response.line = say("status_line_" .. response.status, language)
  response.poll_s = rules.responses.poll_s(response.status, age_s)
  response.when = when(response, context)
  return response
end

-- Asked once: who has answered a cargo before is not asked again, with a phone or without.
local function contact_of(context)
  local contact = context.contact or {}
  local phone = contact.phone and rules.phone.shown(contact.phone)
  return {
    name = contact.name, phone = phone, is_known = contact.is_known,
    shown = table.concat({ contact.name or phone, contact.name and phone }, ", "),
  }
end

--- The block of a cargo: what became of the response, or the form for one; empty when responding is locked.
--- @param cargo {id: string, locked: string[]?}
--- @param context table  `response` and `contact` as the contract found them
function responses.block(cargo, context)
  return page.render("response/block", {
    cargo_id = cargo.id, price = cargo.price, title = cargo.title,
    response = context.response and decorate(context.response, context),
    can_respond = context.can_respond, contact = contact_of(context), news = context.response and responses.news(context),
  }, context)
end

--- The answer to a sent form.
function responses.answered(_, context)
  return responses.block({ id = context.response.cargo_id }, context)
end

--- What is wrong stands above the form's button; the fields keep their text.
function responses.problem(_, document, context)
  local text = document.status >= 500 and rules.texts.say("not_sent", context.language) or document.detail
  for _, field in ipairs(document.errors or {}) do
    if field.field == "phone" or field.field == "name" then text = field.message end
  end
  return page.render("parts/line", { text = text }, context),
    { ["HX-Retarget"] = "#resp-problem", ["HX-Reswap"] = "innerHTML" }
end

--- A cargo that cannot be shown. One that is gone but was answered shows what we kept of it, and the answer.
function responses.sheet_problem(failure, document, context)
  local response = context.response
  if document.status ~= 404 or not response then return problems.sheet(failure, document, context) end
  return page.render("response/gone", {
    cargo = response.cargo, gone_id = context.gone_id, text = document.detail, response_block = responses.block(response.cargo, context),
  }, context)
end

local FILTERS = { { "all", "resp_all" }, { "waiting", "resp_waiting" }, { "accepted", "resp_accepted" } }

--- The first page is the screen; a further one takes the place of the button that asked for it.
function responses.list(output, context)
  for _, response in ipairs(output.data) do decorate(response, context) end
  local empty = context.filter == "all" and "resp_empty" or "resp_none_such"
  return page.render(context.is_next_page and "response/items" or "response/list", {
    responses = output.data, next_cursor = output.next_cursor, filter = context.filter, filters = FILTERS,
    empty = empty,
  }, context)
end

return responses
