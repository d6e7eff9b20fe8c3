--- Contract 2.1: the list and the detail as CargoTech has them, through the shared copies.
local cargo_details = require "services.cargo_details"
local cargo_pages = require "services.cargo_pages"
local contract = require "kit.contract"

local errors = { upstream_unavailable = 502, upstream_auth_failed = 502, cargo_not_found = 404, invalid_cargo_id = 400 }

local fetch = {}

fetch.list = contract {
  name = "cargo.fetch_cargos", number = "2.1", access = "internal",
  about = "A page of raw cargos for filters that were validated.",
  input = {}, raw_input = true,
  output = {
    cargos = { type = "list" }, meta = { type = "object" }, fetched_at = { type = "number" },
    state = { type = "string", one_of = { "hit", "miss", "stale" } },
  },
  errors = errors,

  run = function(filters)
    local page, state, problem = cargo_pages.get(cargo_pages.prepare(filters))
    if not page then return nil, problem end
    page.state = state
    return page
  end,
}

fetch.detail = contract {
  name = "cargo.fetch_cargo", number = "2.1", access = "internal",
  about = "One raw cargo with its comment, which only the detail has.",
  input = { id = { type = "string", required = true } }, raw_input = true,
  output = { cargo = { type = "object" }, state = { type = "string" } },
  errors = errors,

  run = function(input)
    if not input.id:find "^%d+$" or #input.id > 18 then return nil, "invalid_cargo_id" end
    local cargo, state, problem = cargo_details.get(input.id)
    if cargo then return { cargo = cargo, state = state } end
    if problem.code == "not_found" then return nil, "cargo_not_found" end
    return nil, problem
  end,
}

return fetch
