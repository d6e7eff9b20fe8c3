--- Contract 2.3: the list a driver sees.
local card_fields = require "contracts.cargo.card_fields"
local cargo_pages = require "services.cargo_pages"
local cargo_views = require "services.cargo_views"
local contract = require "kit.contract"
local drivers = require "services.drivers"
local fetch_cargos = require "contracts.cargo.fetch_cargos"
local format_card = require "contracts.cargo.format_card"
local responses = require "services.responses"
local rules = require "kit.rules"
local schema = require "kit.schema"
local validate = require "contracts.filters.validate"
local host = host

local function cards_of(cargos, language)
  local cards = host.json.array {}
  for _, cargo in ipairs(cargos) do
    cards[#cards + 1] = format_card.run({ cargo = cargo, language = language })
  end
  return cards
end

local page_fields = {
  cards = { type = "list", items = { type = "object", fields = card_fields.card } },
  meta = { type = "object", fields = card_fields.meta },
}

-- JSON of a page up to the member that tells how it was got; the same text on every worker, for the ETag's sake.
local function render(page)
  local body = schema.complete(page_fields, { cards = cards_of(page.cargos, "ru"), meta = page.meta })
  body.fetched_at = host.time.iso8601(page.fetched_at)
  return host.json.encode(body, { sorted = true }):sub(1, -2) .. ',"cache":"'
end

local TAG_ENDING = { hit = '"', miss = '"', stale = '-stale"' }

local function as_json(prepared, context)
  local body, state, problem = cargo_views.json(context.driver_id, prepared, render)
  if not body then return nil, problem end
  return {
    encoded = { text = body.text .. state .. '"}', tag = 'W/"' .. body.tag .. TAG_ENDING[state] },
    headers = { ["X-Cache"] = state:upper() },
  }
end

-- The page of a first screen: only what is stored, because nobody waits for it.
local function is_stored(filters)
  return cargo_pages.is_stored(cargo_pages.prepare(filters))
end

local PATIENCE_MS = 300

-- The driver's own responses among the cards. The list does not wait long for them, and does without.
local function add_responses(cards, context)
  if #cards == 0 then return cards end
  local ids = {}
  for index, card in ipairs(cards) do ids[index] = card.id end
  local statuses, problem = host.task.with_deadline(PATIENCE_MS, function()
    return responses.statuses(context.driver_id, ids)
  end)
  if not statuses then host.log.warn("list without responses", { failure = tostring(problem) }) end
  for _, card in ipairs(cards) do card.response_status = statuses and statuses[card.id] end
  return cards
end

local function as_table(filters, context)
  if context.only_stored and not is_stored(filters) then return nil, "upstream_unavailable" end
  local page, problem = fetch_cargos.list(filters)
  if not page then return nil, problem end
  return {
    cards = add_responses(cards_of(page.cargos, context.language), context), meta = page.meta, cache = page.state,
    fetched_at = host.time.iso8601(page.fetched_at), fetched_s = page.fetched_at,
    headers = { ["X-Cache"] = page.state:upper() }, filters = filters,
  }
end

return contract {
  name = "cargo.list_cargos", number = "2.3", access = "driver",
  about = "Cargos for the driver's filters; the answer tells whether it is stored, fresh or stale.",
  input = rules.filters.fields,
  reader = function(values) return validate(values) end,
  output = {
    cards = page_fields.cards, meta = page_fields.meta,
    cache = { type = "string", one_of = { "hit", "miss", "stale" } }, fetched_at = { type = "string" },
  },
  errors = {
    invalid_filter = 400, upstream_unavailable = 502, upstream_auth_failed = 502, database_unavailable = 503,
  },

  run = function(filters, context)
    if context.driver_id and filters.offset == 0 and not context.read_only then
      drivers.save_filters_later(context.driver_id, cargo_pages.prepare(filters).remembered)
    end
    if context.wants == "json" and context.driver_id then return as_json(cargo_pages.prepare(filters), context) end
    return as_table(filters, context)
  end,
}
