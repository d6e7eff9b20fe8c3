--- One search for everything that has an id or a name.
local admin_drivers = require "services.admin_drivers"
local host = host
local text = require "kit.text"

local admin_search = {}

local function put(hits, rows, make)
  for _, row in ipairs(rows or {}) do hits[#hits + 1] = make(row) end
end

local function payment_hit(row)
  return { kind = "Платёж", text = row.id, href = "/admin/payments/" .. row.id }
end

local function by_digits(hits, digits)
  put(hits, host.pg.query("SELECT id::text AS id, first_name FROM drivers WHERE id = $1::text::bigint", digits), function(row)
    return { kind = "Водитель", text = row.first_name .. " · " .. row.id, href = "/admin/drivers/" .. row.id }
  end)
  put(hits, host.pg.query([[
    SELECT r.driver_id::text, r.status, d.first_name FROM responses r JOIN drivers d ON d.id = r.driver_id
    WHERE r.cargo_id = $1 LIMIT 20]], digits), function(row)
    return { kind = "Отклик на груз " .. digits, text = row.first_name .. " · " .. row.status,
      href = "/admin/drivers/" .. row.driver_id }
  end)
end

local function by_name(hits, words)
  local page = admin_drivers.list { q = words, limit = 20 }
  put(hits, page and page.rows, function(row)
    local name = row.first_name .. (row.username and " @" .. row.username or "")
    return { kind = "Водитель", text = name .. " · " .. row.driver_id, href = "/admin/drivers/" .. row.driver_id }
  end)
end

--- @return {kind: string, text: string, href: string}[]
function admin_search.find(words)
  local hits = {}
  words = text.squeeze(words)
  if words == "" then return hits end
  if words:find "^%d+$" and #words <= 18 then
    by_digits(hits, words)
  elseif words:find "^%x+%-%x+%-%x+%-%x+%-%x+$" and #words == 36 then
    put(hits, host.pg.query("SELECT id FROM payments WHERE id = $1::text::uuid OR gateway_id = $1", words:lower()), payment_hit)
  else
    by_name(hits, words)
    put(hits, host.pg.query("SELECT code FROM promo_codes WHERE code = $1", words:upper()), function(row)
      return { kind = "Промокод", text = row.code, href = "/admin/promo-codes/" .. row.code }
    end)
  end
  return hits
end

return admin_search
