--- The table of contents: method, path, who may ask, how often, which contract answers, which page shows it as HTML.
---
---   access      public | optional (a session is used when there is one) | driver
---   limit       class of services/rate_limit.lua, counted by driver; none = not counted
---   contract    what is promised; its output is the JSON
---   page        function(output, context) → HTML, for htmx and browsers
---   problem     function(failure, document, context) → HTML and headers that say where it belongs
---   panel       function(context, request) of web/admin/routes.lua: pages of the panel, with their own session
---   knows_admins  the contract may ask whose session of the panel it is: context.admin_token
---   operations  answered on the metrics listener too; nothing else is
---   headers     header fields among the input: { idempotency_key = "idempotency-key" }
---   raw_body    the contract gets the body as it came, as `body`
---   unlisted    not in the description of the API (kit/openapi.lua)
---   read_only   the access token of a subscription will do
---   replay      kept for `fura replay`: method, path and query, without what the contract marks as a secret
---   revalidate  GET lists: ETag and `private, no-cache` instead of `no-store`
local access_token = require "contracts.billing.access_token"
local billing = require "web.pages.billing"
local cargos = require "web.pages.cargos"
local create_payment = require "contracts.billing.create_payment"
local dictionary = require "contracts.cargo.list_dictionary"
local login = require "contracts.auth.login"
local probes = require "contracts.ops.probes"
local plain = require "web.pages.plain"
local problems = require "web.pages.problems"
local process_webhook = require "contracts.billing.process_webhook"
local responses = require "web.pages.responses"
local start = require "web.pages.start"

local routes = {
  -- the Mini App
  { "GET", "/", access = "optional", page = start.shell, replay = true },
  { "GET", "/paywall", access = "optional", page = start.paywall, replay = true },
  { "GET", "/payments/return", access = "public", page = start.returned },

  -- who
  { "POST", "/api/v1/auth/telegram", access = "public", contract = login.telegram, page = start.app,
    problem = problems.edge, init_data_header = true },
  { "POST", "/api/v1/auth/dev", access = "public", contract = login.development, page = start.app,
    problem = problems.edge, unlisted = true },
  { "POST", "/api/v1/auth/logout", access = "driver", contract = require "contracts.auth.end_session", status = 204,
    ends_session = true },
  { "GET", "/api/v1/me", access = "driver", limit = "default", contract = require "contracts.account.show_me",
    page = plain.fragment, replay = true },

  -- cargo
  { "GET", "/api/v1/cargos", access = "driver", limit = "default", read_only = true, contract = require "contracts.cargo.list_cargos",
    page = cargos.list, problem = problems.list, revalidate = true, replay = true },
  { "GET", "/api/v1/cargos/prices", access = "driver", limit = "default", read_only = true,
    contract = require "contracts.cargo.show_prices", page = cargos.prices, replay = true },
  { "GET", "/api/v1/cargos/{id}", access = "driver", limit = "default", read_only = true, contract = require "contracts.cargo.show_cargo",
    page = cargos.detail, problem = responses.sheet_problem, replay = true },
  { "GET", "/api/v1/dictionaries/points", access = "driver", limit = "default", read_only = true,
    contract = require "contracts.cargo.search_cities", page = cargos.cities, revalidate = true, replay = true },
  { "GET", "/api/v1/dictionaries/load_types", access = "driver", limit = "default", read_only = true,
    contract = dictionary.load_types, page = cargos.type_chips "load_types", revalidate = true, replay = true },
  { "GET", "/api/v1/dictionaries/truck_types", access = "driver", limit = "default", read_only = true,
    contract = dictionary.truck_types, page = cargos.type_chips "truck_types", revalidate = true, replay = true },

  -- responses and the bot
  { "POST", "/api/v1/responses", access = "driver", limit = "response",
    contract = require "contracts.bot.handle_response", page = responses.answered, problem = responses.problem, replay = true },
  { "GET", "/api/v1/responses", access = "driver", limit = "default",
    contract = require "contracts.bot.list_responses", page = responses.list, revalidate = true, replay = true },
  { "POST", "/webhooks/telegram", access = "public", contract = require "contracts.bot.receive_update",
    raw_body = true, headers = { secret = "x-telegram-bot-api-secret-token" } },

  -- money
  { "GET", "/api/v1/subscription", access = "driver", limit = "default",
    contract = require "contracts.billing.show_subscription", page = plain.fragment, replay = true },
  { "GET", "/api/v1/subscription/access-token", access = "driver", limit = "default", contract = access_token.show,
    page = billing.access_key, problem = billing.key_problem },
  { "POST", "/api/v1/subscription/access-token", access = "driver", limit = "default",
    contract = access_token.replace, page = billing.access_key, problem = billing.key_problem },
  { "DELETE", "/api/v1/subscription/access-token", access = "driver", limit = "default",
    contract = access_token.revoke, status = 204 },
  { "GET", "/api/v1/paywall", access = "driver", limit = "default",
    contract = require "contracts.billing.show_paywall", page = billing.paywall, problem = billing.problem, replay = true },
  { "GET", "/api/v1/tariffs", access = "public", contract = require "contracts.billing.list_tariffs",
    page = plain.fragment, revalidate = true, replay = true },
  { "POST", "/api/v1/payments", access = "driver", limit = "payment", contract = create_payment,
    headers = { idempotency_key = "idempotency-key" }, page = billing.created, problem = billing.pay_problem, replay = true },
  { "GET", "/api/v1/payments", access = "driver", limit = "default", revalidate = true,
    contract = require "contracts.billing.list_payments", page = plain.fragment, replay = true },
  { "GET", "/api/v1/payments/{id}", access = "driver", limit = "default",
    contract = require "contracts.billing.show_payment", page = billing.payment, problem = billing.problem, replay = true },
  { "POST", "/api/v1/promocodes/apply", access = "driver", limit = "promo",
    contract = require "contracts.billing.apply_promo_code", page = billing.promo_applied,
    problem = billing.promo_problem, replay = true },
  { "POST", "/webhooks/yookassa", access = "public", contract = process_webhook,
    raw_body = true, headers = { signature = "x-webhook-signature" } },
  { "POST", "/webhooks/yookassa/{key}", access = "public", contract = process_webhook,
    raw_body = true, headers = { signature = "x-webhook-signature" } },

  -- operations
  { "GET", "/livez", access = "public", contract = probes.alive, operations = true },
  { "GET", "/readyz", access = "public", contract = probes.ready, operations = true },
  { "GET", "/healthz", access = "public", contract = probes.health, operations = true, knows_admins = true },
  { "GET", "/api/openapi.json", access = "public", contract = require "contracts.ops.describe_api", revalidate = true },
  { "GET", "/api/docs", access = "public", page = require("web.pages.api").docs },
  { "GET", "/metrics", access = "metrics", operations = true },
}

for _, route in ipairs(require "web.admin.routes") do routes[#routes + 1] = route end

return routes
