--- Drivers: the list, one driver, ending a session.
local audit = require "web.admin.audit"
local end_sessions = require "contracts.admin.end_driver_sessions"
local host = host
local list_drivers = require "contracts.admin.list_drivers"
local lists = require "web.admin.list"
local page = require "web.admin.page"
local show = require "web.admin.show"
local show_driver = require "contracts.admin.show_driver"
local status = require "web.admin.status"

local drivers = {}

local function access(row)
  if not row.expires_at then return show.badge("нет", "none") end
  local is_active = row.expires_at > host.time.now()
  return show.badge((is_active and "до " or "закончилась ") .. show.day_text(row.expires_at), is_active and "ok" or "warn")
end

drivers.list = lists.page {
  path = "/admin/drivers", nav = "drivers", title = "Водители", contract = list_drivers,
  filters = {
    { name = "q", label = "Имя, @имя или id" },
    { name = "access", label = "Подписка", options = { { "", "Любая" }, { "active", "Активна" },
      { "expired", "Закончилась" } } },
    { name = "unreachable", label = "Бот", options = { { "", "Любой" }, { "true", "Заблокирован водителем" } } },
  },
  columns = {
    { title = "Водитель", value = show.driver },
    { title = "Подписка", value = access },
    { title = "Вход", sort = "login", value = function(row) return show.time(row.last_login_at) end },
    { title = "Регистрация", sort = "created", extra = true, value = function(row) return show.day(row.created_at) end },
    { title = "Бот", extra = true, value = function(row)
      return row.unreachable_at and show.badge("заблокирован", "fail") or show.badge("доступен", "ok")
    end },
    { title = "id", sort = "id", extra = true, value = function(row) return show.id(row.driver_id) end },
  },
  empty = "Водителей ещё не было.",
}

--- One driver. `problem`: what an action came to; the form that was sent keeps what was typed.
function drivers.one(context, _, problem)
  local driver, why = show_driver(context.params, context)
  if not driver then return nil, why end
  local name = driver.first_name ~= "" and driver.first_name or "Водитель " .. driver.driver_id
  return page.whole("driver", {
    driver = driver, name = name, access = access(driver), status = status, now = host.time.now(),
    grant_key = host.crypto.uuid(), typed = problem and context.form or {},
    trail = page.part("parts/trail", { trail = driver.trail, who = audit.who, action = audit.action, details = audit.details }),
  }, { title = name, nav = "drivers", problem = problem, status = problem and (problem.status or 422) }, context)
end

function drivers.end_sessions(context)
  local done, problem = end_sessions(context.params, context)
  if not done then return nil, problem end
  return page.go("/admin/drivers/" .. context.params.id, "sessions_ended")
end

return drivers
