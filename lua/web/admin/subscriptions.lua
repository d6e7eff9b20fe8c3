--- Subscriptions: the list; giving days and revoking happen on the driver's page.
local change = require "contracts.admin.change_subscription"
local drivers = require "web.admin.drivers"
local host = host
local list_subscriptions = require "contracts.admin.list_subscriptions"
local lists = require "web.admin.list"
local page = require "web.admin.page"
local show = require "web.admin.show"
local status = require "web.admin.status"

local subscriptions = {}

local function days_left(row)
  local left_s = row.expires_at - host.time.now()
  if left_s <= 0 then return show.badge("закончилась", "warn") end
  return show.days(math.ceil(left_s / 86400))
end

subscriptions.list = lists.page {
  path = "/admin/subscriptions", nav = "subscriptions", title = "Подписки", contract = list_subscriptions,
  filters = {
    { name = "show", label = "Какие", options = { { "", "Все" }, { "active", "Активные" }, { "soon", "Осталось ≤ 3 дней" },
      { "expired", "Закончились" } } },
    { name = "source", label = "Источник", options = { { "", "Любой" }, { "payment", "Оплата" }, { "promo", "Промокод" },
      { "gift", "Подарок" }, { "trial", "Пробный период" } } },
    { name = "q", label = "Водитель" },
  },
  columns = {
    { title = "Водитель", value = show.driver },
    { title = "До", sort = "expires", value = function(row) return show.time(row.expires_at) end },
    { title = "Источник", value = function(row) return status.source(row.source) end },
    { title = "Осталось", extra = true, value = days_left },
  },
  empty = "Подписок ещё не было.",
}

-- Both actions come from the driver's page and lead back to it.
local function action(contract, done_code)
  return function(context, request)
    context.form.id = context.params.id
    local done, problem = contract(context.form, context)
    if done then return page.go("/admin/drivers/" .. context.params.id, done_code) end
    if problem.code ~= "invalid_input" then return nil, problem end
    return drivers.one(context, request, problem)
  end
end

subscriptions.extend = action(change.extend, "extended")
subscriptions.revoke = action(change.revoke, "revoked")

return subscriptions
