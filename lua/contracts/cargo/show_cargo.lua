--- The detail of one cargo as this driver may see it: contacts and phones need access.
local card_fields = require "contracts.cargo.card_fields"
local contract = require "kit.contract"
local events = require "services.events"
local fetch_cargos = require "contracts.cargo.fetch_cargos"
local host = host
local response_fields = require "contracts.bot.response_fields"
local responses = require "services.responses"
local rules = require "kit.rules"
local subscriptions = require "services.subscriptions"

local function lock_contact(detail)
  detail.contact = {}
  detail.locked = { "contact" }
  if detail.comment then detail.comment = rules.call("access", "mask_phones", detail.comment) end
end

local PATIENCE_MS = 500

-- The driver's own response. Without the database the rest of the detail is shown all the same.
local function find_response(cargo_id, context)
  local row, problem = host.task.with_deadline(PATIENCE_MS, function()
    return responses.find(context.driver_id, cargo_id)
  end)
  if problem then host.log.warn("detail without the response", { failure = tostring(problem) }) end
  context.response = row and response_fields.shown(row)
  return row
end

local function add_response(detail, context)
  local row = find_response(detail.id, context)
  if row then
    detail.response = { id = row.id, status = row.status }
  elseif context.can_respond and context.wants == "html" then
    context.contact = responses.contact_of(context.driver_id)
  end
end

return contract {
  name = "cargo.show_cargo", access = "driver",
  about = "The card, comment, addresses, shipper, and the contact for those with access.",
  input = { id = { type = "string", required = true } },
  raw_input = true, -- whatever is no id is one error
  output = card_fields.detail,
  errors = {
    invalid_cargo_id = 400, cargo_not_found = 404, upstream_unavailable = 502, upstream_auth_failed = 502,
    rule_failed = 500,
  },

  run = function(input, context)
    local fetched, problem = fetch_cargos.detail({ id = input.id })
    if not fetched then
      if problem == "cargo_not_found" or problem.code == "cargo_not_found" then
        context.gone_id = input.id
        find_response(input.id, context)
      end
      return nil, problem
    end
    local language = context.wants == "html" and context.language or "ru"
    local detail
    detail, problem = rules.call("card", "detail", fetched.cargo, language)
    if not detail then return nil, problem or "cargo_not_found" end
    detail.locked = {}
    local features = subscriptions.of(context.driver_id).features
    if not features.view_contacts then lock_contact(detail) end
    context.can_respond = features.respond
    add_response(detail, context)
    events.emit("cargo.viewed", { driver_id = context.driver_id, cargo_id = detail.id })
    return detail
  end,
}
