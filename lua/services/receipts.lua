--- Receipts of 54-FZ, when the setting `receipts` configures them: who gets one, and what it says. The driver's address
--- is asked once and kept encrypted.
local host = host
local failure = require "kit.failure"
local rules = require "kit.rules"
local secrets = require "services.secrets"
local settings = require "services.settings"

local receipts = {}

local function context_of(driver_id)
  return "receipt contact of " .. driver_id
end

--- @return boolean
function receipts.are_due()
  return settings.get "receipts" ~= nil
end

-- {email} or {phone} in the gateway's writing: E.164 without the plus, so 8 999… is 7999….
local function of_input(given)
  if given.email then return { email = given.email } end
  if given.phone then return { phone = ((rules.phone.normalise(given.phone) or given.phone):gsub("%D", "")) } end
end

local function remembered(driver_id)
  local row, problem = host.pg.one("SELECT sealed FROM receipt_contacts WHERE driver_id = $1::bigint", driver_id)
  if not row then return nil, problem end
  local text
  text, problem = secrets.open(row.sealed, context_of(driver_id))
  if not text then return nil, problem end
  return host.json.decode(text)
end

local function remember(driver_id, contact)
  local sealed, problem = secrets.seal(host.json.encode(contact), context_of(driver_id))
  if not sealed then return nil, problem end
  return host.pg.query([[
    INSERT INTO receipt_contacts (driver_id, sealed) VALUES ($1::bigint, $2)
    ON CONFLICT (driver_id) DO UPDATE SET sealed = excluded.sealed, updated_at = now()]],
    driver_id, host.pg.bytea(sealed))
end

--- Where this driver's receipt goes: what came with the request, which is remembered, or what was remembered before.
--- @param given {email: string?, phone: string?}
--- @return {email: string?, phone: string?}?
--- @return table? failure  receipt_contact_required, or what kept us from storing it
function receipts.contact(driver_id, given)
  local contact = of_input(given)
  if contact then
    local ok, problem = remember(driver_id, contact)
    if not ok then return nil, problem end
    return contact
  end
  local known, problem = remembered(driver_id)
  if known then return known end
  return nil, problem or failure "receipt_contact_required"
end

--- What is stored with a payment and sent with it, so that asking again says the same.
--- @return table receipt
function receipts.build(contact, description, amount_kopecks)
  local how = settings.get "receipts" or {}
  return {
    customer = contact,
    tax_system_code = how.tax_system_code,
    items = host.json.array { {
      description = description, quantity = 1, measure = "piece", vat_code = how.vat_code or 1,
      amount = { value = rules.tariffs.amount(amount_kopecks), currency = "RUB" },
      payment_subject = how.payment_subject or "service", payment_mode = how.payment_mode or "full_payment",
    } },
  }
end

--- The receipt of a payment for a part of its money: a refund's.
function receipts.with_amount(receipt, amount_kopecks)
  receipt.items[1].amount.value = rules.tariffs.amount(amount_kopecks)
  return receipt
end

--- @return string? sealed
--- @return table? failure
function receipts.seal(receipt, payment_id)
  return secrets.seal(host.json.encode(receipt, { sorted = true }), "receipt of " .. payment_id)
end

--- @return table? receipt
--- @return table? failure
function receipts.open(sealed, payment_id)
  local text, problem = secrets.open(sealed, "receipt of " .. payment_id)
  if not text then return nil, problem end
  local receipt = host.json.decode(text)
  host.json.array(receipt.items)
  return receipt
end

return receipts
