--- The panel's table of contents. `panel` is a function(context, request); roles are checked by its contract.
local audit = require "web.admin.audit"
local canary = require "web.admin.canary"
local dashboard = require "web.admin.dashboard"
local drivers = require "web.admin.drivers"
local login = require "web.admin.login"
local operations = require "web.admin.operations"
local payments = require "web.admin.payments"
local plugins = require "web.admin.plugins"
local promo_codes = require "web.admin.promo_codes"
local rule = require "web.admin.rule"
local settings = require "web.admin.settings"
local subscriptions = require "web.admin.subscriptions"

return {
  { "GET", "/admin/login", access = "public", panel = login.form },
  { "POST", "/admin/login", access = "public", panel = login.enter },
  { "POST", "/admin/logout", access = "admin", panel = login.leave },

  { "GET", "/admin", access = "admin", panel = function() return { redirect = "/admin/" } end },
  { "GET", "/admin/", access = "admin", panel = dashboard.show },
  { "GET", "/admin/search", access = "admin", panel = dashboard.search },

  { "GET", "/admin/payments", access = "admin", panel = payments.list },
  { "GET", "/admin/payments.csv", access = "admin", panel = payments.csv, deadline_ms = 120000 },
  { "GET", "/admin/payments/{id}", access = "admin", panel = payments.one },
  { "GET", "/admin/payments/{id}/refund-effect", access = "admin", panel = payments.refund_effect },
  { "POST", "/admin/payments/{id}/refund", access = "admin", panel = payments.refund },
  { "POST", "/admin/payments/{id}/ask", access = "admin", panel = payments.ask },
  { "GET", "/admin/subscriptions", access = "admin", panel = subscriptions.list },
  { "GET", "/admin/promo-codes", access = "admin", panel = promo_codes.list },
  { "POST", "/admin/promo-codes", access = "admin", panel = promo_codes.create },
  { "GET", "/admin/promo-codes/{code}", access = "admin", panel = promo_codes.one },
  { "POST", "/admin/promo-codes/{code}/close", access = "admin", panel = promo_codes.close },

  { "GET", "/admin/drivers", access = "admin", panel = drivers.list },
  { "GET", "/admin/drivers/{id}", access = "admin", panel = drivers.one },
  { "POST", "/admin/drivers/{id}/end-sessions", access = "admin", panel = drivers.end_sessions },
  { "POST", "/admin/drivers/{id}/extend", access = "admin", panel = subscriptions.extend },
  { "POST", "/admin/drivers/{id}/revoke", access = "admin", panel = subscriptions.revoke },

  { "GET", "/admin/outbox", access = "admin", panel = operations.outbox },
  { "POST", "/admin/outbox/retry", access = "admin", panel = operations.retry_selected },
  { "POST", "/admin/outbox/{id}/retry", access = "admin", panel = operations.retry },
  { "POST", "/admin/outbox/{id}/drop", access = "admin", panel = operations.drop },
  { "GET", "/admin/jobs", access = "admin", panel = operations.jobs },
  { "POST", "/admin/jobs/{name}/run", access = "admin", panel = operations.run_job },
  { "GET", "/admin/cache", access = "admin", panel = operations.cache },
  { "POST", "/admin/cache/clear", access = "admin", panel = operations.clear_lists },
  { "POST", "/admin/cache/drop-token", access = "admin", panel = operations.drop_token },

  { "GET", "/admin/settings", access = "admin", panel = settings.show },
  { "POST", "/admin/settings/tariffs", access = "admin", panel = settings.save },
  { "POST", "/admin/settings/gateway", access = "admin", panel = settings.save_gateway },
  { "POST", "/admin/settings/switch", access = "admin", panel = settings.switch },
  { "GET", "/admin/flags", access = "admin", panel = settings.flags },
  { "POST", "/admin/flags/{name}", access = "admin", panel = settings.save_flag },
  { "GET", "/admin/rules", access = "admin", panel = operations.rules },
  { "GET", "/admin/rules/{name}", access = "admin", panel = rule.show },
  { "POST", "/admin/rules/{name}/try", access = "admin", panel = rule.try },
  { "POST", "/admin/rules/reload", access = "admin", panel = operations.reload },
  { "POST", "/admin/rules/canary", access = "admin", panel = canary.begin },
  { "POST", "/admin/rules/canary/promote", access = "admin", panel = canary.promote },
  { "POST", "/admin/rules/canary/withdraw", access = "admin", panel = canary.withdraw },
  { "GET", "/admin/plugins/{name}", access = "admin", panel = plugins.show },
  { "POST", "/admin/plugins/{name}/settings", access = "admin", panel = plugins.save },
  { "POST", "/admin/plugins/{name}/reset", access = "admin", panel = plugins.reset },
  { "POST", "/admin/plugins/{name}/switch", access = "admin", panel = plugins.switch },
  { "GET", "/admin/audit", access = "admin", panel = audit.list },
}
