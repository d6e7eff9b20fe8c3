--- The subscription as HTML: the screen of tariffs, waiting for a payment, its end, promo codes.
local host = host
local list_tariffs = require "contracts.billing.list_tariffs"
local page = require "web.pages.page"
local rules = require "kit.rules"
local show_subscription = require "contracts.billing.show_subscription"

local billing = {}

local MONTH_DAYS = 30

local function seconds_of(text)
  return page.has(text) and host.time.parse_iso8601(text) or nil
end

local function date_of(text, context)
  local seconds = seconds_of(text)
  return seconds and page.long_date(seconds, context.language) or ""
end

-- ---- access and tariffs ----

local function access(subscription, context)
  local date = date_of(subscription.expires_at, context)
  return {
    active = subscription.active, days_left = subscription.days_left, date = date,
    ended = not subscription.active and date ~= "",
  }
end

local function cheapest_of(tariffs)
  local best = tariffs[1]
  for _, tariff in ipairs(tariffs) do
    if tariff.days < best.days then best = tariff end
  end
  return best
end

--- The shortest tariff on sale, which the lock names: {price, days}; nil when nothing is sold.
function billing.cheapest(context)
  local tariff = cheapest_of(list_tariffs.run({}, context).data)
  return tariff and { price = rules.card.price(tariff.price_kopecks, context.language), days = tariff.days }
end

-- What a longer tariff saves, computed from the shortest.
local function add_savings(tariffs, context)
  local shortest = cheapest_of(tariffs)
  for _, tariff in ipairs(tariffs) do
    tariff.price = rules.card.price(tariff.price_kopecks, context.language)
    local monthly = tariff.price_kopecks * MONTH_DAYS / tariff.days
    local percent = math.floor((1 - monthly / (shortest.price_kopecks * MONTH_DAYS / shortest.days)) * 100 + 0.5)
    if tariff ~= shortest and percent > 0 then
      tariff.percent = percent
      tariff.monthly = rules.card.whole_roubles(monthly, context.language) .. " ₽"
    end
  end
end

-- The last bought, while it is on sale; else the shortest.
local function choose(tariffs, payments)
  for _, payment in ipairs(payments) do
    if payment.status == "succeeded" then
      for _, tariff in ipairs(tariffs) do
        if tariff.name == payment.tariff then return tariff end
      end
    end
  end
  return cheapest_of(tariffs)
end

local STATES = {
  pending = { "pending", "warn" }, waiting_for_capture = { "pending", "warn" }, succeeded = { "succeeded", "ok" },
  canceled = { "canceled", "fail" }, failed = { "canceled", "fail" }, refunded = { "refunded", "info" },
  partially_refunded = { "refunded", "info" },
}

local function price_of(payment, context)
  return rules.card.price(rules.tariffs.kopecks(payment.amount), context.language)
end

local function add_states(payments, context)
  for _, payment in ipairs(payments) do
    local state = STATES[payment.status]
    payment.state, payment.tone = rules.texts.say("pay_state_" .. state[1], context.language), state[2]
    payment.date = date_of(payment.created_at, context)
    payment.price = price_of(payment, context)
  end
end

--- The screen: access, tariffs, promo code, history.
function billing.paywall(output, context)
  add_savings(output.tariffs, context)
  add_states(output.payments, context)
  return page.render("billing/paywall", {
    access = access(output.subscription, context), tariffs = output.tariffs, payments = output.payments,
    chosen = choose(output.tariffs, output.payments), can_pay = output.payments_enabled and #output.tariffs > 0,
    can_promo = output.promo_enabled, needs_email = output.receipt_contact_needed, key = host.crypto.base64url(host.crypto.random(12)),
  }, context)
end

--- The screen's failure, in its place.
function billing.problem(_, document, context)
  return page.render("billing/problem", { text = document.detail }, context),
    { ["HX-Retarget"] = "#pay-screen", ["HX-Reswap"] = "outerHTML" }
end

-- ---- a payment ----

local FINAL = { succeeded = true, canceled = true, failed = true, refunded = true, partially_refunded = true }

-- Often at first, while somebody looks and waits; the reconciler asks later anyway.
local function poll_s(age_s)
  if age_s < 60 then return 3 end
  return age_s < 600 and 6 or 10
end

local LONG_WAIT_S = 600

local function payment_values(output, context)
  local age_s = host.time.now() - (seconds_of(output.created_at) or host.time.now())
  local values = {
    payment = output, price = price_of(output, context), poll_s = poll_s(age_s),
    is_long = age_s > LONG_WAIT_S, state = STATES[output.status][1],
  }
  if output.status == "succeeded" then
    values.access = access(show_subscription.run({}, context), context)
  end
  return values
end

--- A tap on «Оплатить»: the shop's page opens in the same tap, this screen waits.
function billing.created(output, context)
  local values = payment_values(output, context)
  values.is_new = true
  return page.render("billing/payment", values, context)
end

--- A payment now. What is final takes the place of the whole screen, not only of the line that asks.
function billing.payment(output, context)
  local markup = page.render("billing/payment", payment_values(output, context), context)
  if not FINAL[output.status] then return markup end
  return markup, { ["HX-Retarget"] = "#pay-screen", ["HX-Reswap"] = "outerHTML", ["HX-Reselect"] = "#pay-screen" }
end

-- A sentence at a form, which keeps what was typed.
local function line(target, text, context)
  return page.render("parts/line", { text = text }, context),
    { ["HX-Retarget"] = target, ["HX-Reswap"] = "innerHTML" }
end

local function text_of(document)
  local field = document.errors and document.errors[1]
  return field and field.message or document.detail
end

--- Under the pay button; the choice stays.
function billing.pay_problem(_, document, context)
  return line("#pay-problem", document.detail, context)
end

-- ---- promo codes ----

function billing.promo_applied(output, context)
  return page.render("billing/promo_applied", {
    days = output.days_added, date = date_of(output.expires_at, context),
    access = access(show_subscription.run({}, context), context),
  }, context)
end

function billing.promo_problem(_, document, context)
  return line("#promo-problem", text_of(document), context)
end

-- ---- the access key ----

function billing.access_key(output, context)
  return page.render("billing/access_key", { key = output.access_token }, context)
end

function billing.key_problem(_, document, context)
  return line("#access-key", document.detail, context)
end

return billing
