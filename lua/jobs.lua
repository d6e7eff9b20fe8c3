--- What runs by itself: each by one process of the whole cluster at a time (services/jobs.lua).
---
---   name     for `fura jobs run NAME`, logs and metrics
---   every_s  at the latest so long after the last run ended; a run may ask to come earlier
---   run      returns what it did, and optionally the seconds until the next run; or nil and a failure
---   limit_s  a run is ended after that; 300 when not said
local outbox = require "services.outbox"
local outbox_sender = require "services.outbox_sender"

return {
  { name = "outbox.send", about = "Deliver what waits for Telegram.", every_s = 10, limit_s = 900,
    run = outbox_sender.run },
  { name = "outbox.clean", about = "Forget delivered messages and update ids that are too old.", every_s = 3600,
    run = outbox.clean },
}
