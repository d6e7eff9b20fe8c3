--- What runs by itself: each by one process of the whole cluster at a time (services/jobs.lua).
---
---   name     for `fura jobs run NAME`, logs and metrics
---   every_s  at the latest so long after the last run ended; a run may ask to come earlier
---   run      returns what it did, and optionally the seconds until the next run; or nil and a failure
---   limit_s  a run is ended after that; 300 when not said
---   is_woken others may ask for a run at once (jobs.wake)
local audit = require "services.audit"
local outbox = require "services.outbox"
local outbox_sender = require "services.outbox_sender"
local payment_inbox = require "services.payment_inbox"
local payments = require "services.payments"
local reconciler = require "services.payment_reconciler"
local sessions = require "services.sessions"
local subscription_expiry = require "services.subscription_expiry"

return {
  { name = "outbox.send", about = "Deliver what waits for Telegram.", every_s = 10, limit_s = 900,
    is_woken = true, run = outbox_sender.run },
  { name = "outbox.clean", about = "Forget delivered messages and update ids that are too old.", every_s = 3600,
    run = outbox.clean },
  { name = "payments.inbox", about = "Look after notifications of YooKassa that wait.", every_s = 3,
    run = payment_inbox.work },
  { name = "payments.reconcile", about = "Ask YooKassa about payments that did not come to an end.", every_s = 30,
    run = reconciler.run },
  { name = "payments.compare", about = "Compare the last days with YooKassa's own list.", every_s = 86400,
    run = reconciler.compare },
  { name = "subscriptions.expiring", about = "Tell of access that ends in three days or one.", every_s = 3600,
    run = subscription_expiry.run },
  { name = "payments.clean", about = "Forget bodies of notifications that are too old.", every_s = 86400,
    run = payment_inbox.clean },
  { name = "payments.attempts", about = "Forget the keys of attempts to pay that are too old.", every_s = 86400,
    run = payments.forget_attempts },
  { name = "sessions.clean", about = "Forget ended sessions that are too old.", every_s = 86400, run = sessions.clean },
  { name = "audit.months", about = "Make the months of the audit log to come, drop those past their retention.", every_s = 86400,
    run = audit.keep_months },
}
