--- Contract 5.2: a notification of YooKassa is checked, stored, answered; what it is about is then asked for.
local contract = require "kit.contract"
local inbox = require "services.payment_inbox"

return contract {
  name = "billing.process_webhook", number = "5.2", access = "public",
  about = "Notifications of YooKassa. 200 means stored, not believed.",
  input = {
    body = { type = "string", trim = false, about = "the raw body, JSON" },
    signature = { type = "string", max_length = 256, about = "header X-Webhook-Signature" },
    key = { type = "string", max_length = 256, about = "of the path" },
  },
  raw_input = true, -- signed as it came
  output = { status = { type = "string" } },
  errors = {
    forbidden_sender = 403, bad_signature = 403, not_found = 404, invalid_json = 400, invalid_notification = 400, rate_limited = 429,
    database_unavailable = 503,
  },

  run = function(input, context)
    local ok, problem = inbox.admit(input, context)
    if not ok then return nil, problem end
    local said
    said, problem = inbox.read(input.body)
    if not said then return nil, problem end
    ok, problem = inbox.store(said, input.body, context)
    if not ok then return nil, problem end
    return { status = "ok" }
  end,
}
