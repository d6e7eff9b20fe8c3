--- Details of single cargos, kept raw; that one is gone is remembered for a minute.
local host = host
local cargo_api = require "services.cargo_api"
local copies = require "services.copies"
local failure = require "kit.failure"

local cargo_details = {}

local GONE_MS = 60000

--- The raw detail of one cargo.
--- @return table? cargo
--- @return "hit"|"miss"|"stale"|nil state
--- @return table? failure  not_found when the exchange has it no more
function cargo_details.get(id)
  if host.shared.get("gone:" .. id) then return nil, nil, failure "not_found" end
  local lives = host.config.cache
  local copy, state, problem = copies.get {
    name = "detail", key = ("cargo:%s:detail"):format(id), fresh_s = lives.detail_s, keep_s = lives.stale_s,
    fetch = function()
      return cargo_api.fetch {
        path = "/v1/carrier/cargos/" .. id, query = { include = "contacts", source = 1 }, may_be_gone = true,
      }
    end,
  }
  if not copy then
    if problem.code == "not_found" then host.shared.set("gone:" .. id, true, GONE_MS) end
    return nil, nil, problem
  end
  return host.json.decode(copy.text).data, state
end

return cargo_details
