--- Payments: the list with its sums and file, one payment, asking again, giving money back.
local ask_gateway = require "contracts.admin.ask_gateway"
local audit = require "web.admin.audit"
local export_payments = require "contracts.admin.export_payments"
local host = host
local journal_words = require "web.admin.journal_words"
local list_payments = require "contracts.admin.list_payments"
local lists = require "web.admin.list"
local page = require "web.admin.page"
local refund_payment = require "contracts.admin.refund_payment"
local show = require "web.admin.show"
local show_payment = require "contracts.admin.show_payment"
local status = require "web.admin.status"
local view = require "kit.view"

local payments = {}

local LIST = {
  path = "/admin/payments", nav = "payments", title = "Платежи", contract = list_payments, export = export_payments,
  csv = true,
  filters = {
    { name = "status", label = "Статус", options = status.payment_options },
    { name = "from", label = "С", type = "date" }, { name = "to", label = "По", type = "date" },
    { name = "min", label = "Сумма от, ₽", type = "number" }, { name = "max", label = "до, ₽", type = "number" },
    { name = "q", label = "Водитель или id" },
  },
  columns = {
    { title = "Создан", sort = "created", value = function(row)
      return show.link("/admin/payments/" .. row.id, show.time(row.created_at))
    end, csv = function(row) return host.time.iso8601(row.created_at, host.config.timezone) end },
    { title = "Водитель", value = show.driver, csv = function(row) return row.username or row.first_name end },
    { title = "Тариф", extra = true, value = function(row) return row.tariff_title end },
    { title = "Сумма", number = true, value = function(row) return show.money(row.amount_kopecks) end,
      csv = function(row) return ("%.2f"):format(row.amount_kopecks / 100):gsub("%.", ",") .. "" end },
    { title = "Статус", value = function(row) return status.payment(row.status) end,
      csv = function(row) return row.status end },
    { title = "ЮKassa", extra = true, value = function(row) return show.id(row.gateway_id) end,
      csv = function(row) return row.gateway_id end },
    { title = "Номер", extra = true, value = function(row) return show.id(row.id) end, csv = function(row) return row.id end },
  },
  below = function(output)
    local sums = output.sums
    if not sums or sums.rows == 0 then return nil end
    return view.html(("<p>%sУспешно <b>%s</b> (%s) · Ждут %s · Возвраты %s</p>"):format(
      sums.rows == 10000 and "По последним 10 000: " or "", show.money(sums.paid)[1], show.count(sums.paid_count),
      show.count(sums.waiting), show.money(sums.refunded)[1]))
  end,
  empty = "Платежей ещё не было.",
}

payments.list = lists.page(LIST)
payments.csv = lists.csv(LIST)

-- A refund is created too, but it is not the payment.
local function step_text(step)
  if step.event == "created" and (step.new_status or ""):find "refunded$" then return "Возврат" end
  return journal_words.steps[step.event] or step.event
end

local function raw(payment)
  local pieces = {}
  for _, note in ipairs(payment.notifications) do
    local body = note.body and (host.json.decode(note.body) or note.body) or "удалено по сроку хранения"
    pieces[#pieces + 1] = show.raw(("Уведомление %s"):format(note.event), { body = body, outcome = note.outcome,
      problem = note.last_problem, received = note.received })[1]
  end
  return view.html(table.concat(pieces))
end

--- One payment. `problem`: what an action on it came to; the form that was sent keeps what was typed.
function payments.one(context, _, problem)
  local payment, why = show_payment(context.params, context)
  if not payment then return nil, why end
  local title = "Платёж " .. show.roubles(payment.amount_kopecks)
  return page.whole("payment", {
    payment = payment, title = title, typed = problem and context.form or {},
    status = status, step_text = step_text, raw = raw(payment), refund_key = host.crypto.uuid(),
    trail = page.part("parts/trail", { trail = payment.trail, who = audit.who, action = audit.action, details = audit.details }),
  }, { title = title, nav = "payments", problem = problem, status = problem and (problem.status or 422) }, context)
end

local SENTENCES = {
  refund_too_large = "Столько вернуть нельзя: больше остатка.", payment_not_refundable = "Этот платёж не вернуть: он не оплачен.",
  refund_refused = "ЮKassa отказала в возврате.", gateway_unavailable = "ЮKassa не отвечает. Возврат не потерян: сверка доведёт его.",
  not_at_gateway = "В ЮKassa этого платежа ещё нет.",
  encryption_key_missing = "Ключ магазина или чек нечем расшифровать: верните прежний ключ в SETTINGS_ENCRYPTION_KEY.",
}

-- Back on the page of the payment, with what went wrong.
local function stay(context, problem)
  if not SENTENCES[problem.code] and problem.code ~= "invalid_input" then return nil, problem end
  problem.message = SENTENCES[problem.code]
  return payments.one(context, nil, problem)
end

function payments.refund_effect(context)
  local effect, problem = refund_payment.preview({ id = context.params.id, amount = context.query.amount }, context)
  return { html = page.part("parts/refund_effect", { effect = effect, problem = problem and
    (SENTENCES[problem.code] or "Введите сумму, например 1299 или 99,50.") }) }
end

function payments.refund(context)
  context.form.id = context.params.id
  local done, problem = refund_payment.refund(context.form, context)
  if not done then return stay(context, problem) end
  return page.go("/admin/payments/" .. context.params.id, "refunded")
end

function payments.ask(context)
  local done, problem = ask_gateway(context.params, context)
  if not done then return stay(context, problem) end
  return page.go("/admin/payments/" .. context.params.id, "asked")
end

return payments
