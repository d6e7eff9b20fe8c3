--- Contract 4.1: a driver answers a cargo. Stored with its message to the dispatchers, or not at all.
local contract = require "kit.contract"
local fetch_cargos = require "contracts.cargo.fetch_cargos"
local response_fields = require "contracts.bot.response_fields"
local responses = require "services.responses"
local rules = require "kit.rules"
local subscriptions = require "services.subscriptions"
local text = require "kit.text"

local function check_cargo_id(id)
  if not id:find "^%d+$" or #id > 18 then return "format" end
end

local function check_phone(shown)
  if not rules.call("phone", "normalise", shown) then return "phone" end
end

-- One line, however it was typed.
local function clean_name(name)
  name = name and text.squeeze(name)
  return name ~= "" and name or nil
end

-- What the list shows of a cargo we can see.
local function card_of(cargo_id)
  local fetched, problem = fetch_cargos.detail({ id = cargo_id })
  if not fetched then return nil, problem end
  local card
  card, problem = rules.call("card", "format", fetched.cargo, "ru")
  if not card then return nil, problem or "cargo_not_found" end
  return card
end

local function create(input, context)
  local card, problem = card_of(input.cargo_id)
  if not card then return nil, problem end
  return responses.create({
    driver_id = context.driver_id, cargo = card, name = clean_name(input.name),
    phone = input.phone and rules.phone.normalise(input.phone),
  }, context)
end

return contract {
  name = "bot.handle_response", number = "4.1", access = "driver",
  about = "202 for a new response, 200 with the present status for a cargo already answered.",
  input = {
    cargo_id = { type = "string", required = true, check = check_cargo_id },
    phone = { type = "string", max_length = 64, check = check_phone },
    name = { type = "string", max_length = 255 },
  },
  statuses = { 202, 200 },
  output = { response_id = { type = "string" }, status = { type = "string" } },
  errors = {
    payment_required = 402, cargo_not_found = 404, upstream_unavailable = 502, upstream_auth_failed = 502,
    rule_failed = 500, database_unavailable = 503,
  },

  run = function(input, context)
    local subscription, problem = subscriptions.of(context.driver_id)
    if problem then return nil, problem end
    if not subscription.features.respond then return nil, "payment_required" end
    local row
    row, problem = responses.find(context.driver_id, input.cargo_id)
    if problem then return nil, problem end
    if not row then row, problem = create(input, context) end
    if not row then return nil, problem end
    context.status = row.is_new and 202 or 200
    context.response = response_fields.shown(row)
    return { response_id = row.id, status = row.status }
  end,
}
