--- The panel's table of contents. `panel` is a function(context, request); roles are checked by its contract.
local audit = require "web.admin.audit"
local drivers = require "web.admin.drivers"
local login = require "web.admin.login"
local subscriptions = require "web.admin.subscriptions"

return {
  { "GET", "/admin/login", access = "public", panel = login.form },
  { "POST", "/admin/login", access = "public", panel = login.enter },
  { "POST", "/admin/logout", access = "admin", panel = login.leave },

  { "GET", "/admin/drivers", access = "admin", panel = drivers.list },
  { "GET", "/admin/drivers/{id}", access = "admin", panel = drivers.one },
  { "POST", "/admin/drivers/{id}/end-sessions", access = "admin", panel = drivers.end_sessions },
  { "POST", "/admin/drivers/{id}/extend", access = "admin", panel = subscriptions.extend },
  { "POST", "/admin/drivers/{id}/revoke", access = "admin", panel = subscriptions.revoke },
  { "GET", "/admin/subscriptions", access = "admin", panel = subscriptions.list },
  { "GET", "/admin/audit", access = "admin", panel = audit.list },
}
