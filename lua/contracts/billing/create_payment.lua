--- Contract 5.1: open a payment and hand back the page where the driver pays.
local contract = require "kit.contract"
local failure = require "kit.failure"
local flags = require "services.flags"
local payment_fields = require "contracts.billing.payment_fields"
local payments = require "services.payments"
local receipts = require "services.receipts"
local subscriptions = require "services.subscriptions"
local tariffs = require "services.tariffs"
local host = host

local function origin_of(url)
  return url:match "^(%a+://[^/?#]+)"
end

local function check_return_url(url)
  if origin_of(url:lower()) ~= origin_of(host.config.webapp_url:lower()) then return "own_origin" end
end

local function check_email(email)
  if not email:find "^[^%s@<>,;]+@[^%s@<>,;]+%.[^%s@<>,;.]+$" then return "email" end
end

local function check_phone(phone)
  local digits = phone:gsub("%D", "")
  if phone:find "[^%d%+%-%(%) ]" or #digits < 4 or #digits > 15 then return "phone" end
end

-- Where the receipt goes, when there must be one; an empty table when not.
local function contact_for(driver_id, input)
  if not receipts.are_due() then return {} end
  local contact, problem = receipts.contact(driver_id, { email = input.email, phone = input.phone })
  if contact then return { contact = contact } end
  if problem.code == "receipt_contact_required" then
    problem.fields = { { field = "email", code = "required" } }
  elseif problem.code ~= "encryption_key_missing" then
    problem = failure("database_unavailable", { text = tostring(problem), retry_after_s = 5 })
  end
  return nil, problem
end

-- As the page with the tariffs says. Selling may be for subscribers only; when nobody knows whether this is one, it is not.
local function is_selling_to(driver_id)
  return flags.is_on("payments", driver_id, (subscriptions.is_active(driver_id)))
end

local function attempt_of(input)
  return input.idempotency_key and { key = input.idempotency_key,
    asked = { tariff = input.tariff, return_url = input.return_url, email = input.email, phone = input.phone } }
end

return contract {
  name = "billing.create_payment", number = "5.1", access = "driver",
  about = "Open a payment: 201 for a new one, 200 when it was open already.",
  input = {
    tariff = { type = "string", required = true, max_length = 64, about = "name of a tariff on sale" },
    return_url = { type = "url", check = check_return_url, about = "a page of ours to come back to" },
    email = { type = "string", max_length = 254, check = check_email, about = "where the receipt goes" },
    phone = { type = "string", max_length = 32, check = check_phone, about = "where the receipt goes" },
    idempotency_key = { type = "string", max_length = 128, about = "header Idempotency-Key: the same attempt for a month" },
  },
  statuses = { 201, 200 },
  output = payment_fields.opened,
  errors = {
    payments_disabled = 403, idempotency_key_reused = 409, unknown_tariff = 422, receipt_contact_required = 422,
    gateway_unavailable = 503, database_unavailable = 503, encryption_key_missing = 503,
  },

  run = function(input, context)
    if not is_selling_to(context.driver_id) then return nil, "payments_disabled" end
    local tariff = tariffs.find(input.tariff)
    if not tariff then return nil, "unknown_tariff" end
    local receipt, problem = contact_for(context.driver_id, input)
    if not receipt then return nil, problem end
    local payment
    payment, problem = payments.open(context.driver_id, tariff, {
      return_url = input.return_url, contact = receipt.contact, attempt = attempt_of(input),
    }, context)
    if not payment then return nil, problem end
    context.status = payment.is_new and 201 or 200
    return payment_fields.shown(payment)
  end,
}
