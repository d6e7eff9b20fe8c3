-- Every setting of Fura with its default, unit and reason. This is the manual and the file used without -c.
--
-- Write your own beside it with only what differs, and start with `fura serve -c conf/production.lua`:
--
--     return {
--       env = "production",
--       listen = "unix:/run/fura/http.sock",
--       database = { url = file "/run/secrets/database_url", pool_size = 40 },
--     }
--
-- A conf file may use local variables and three functions: env(NAME, default), file(PATH), include(PATH); paths are
-- relative to the file. Lists may be tables or texts with commas. Unknown keys are errors; `fura check` shows all of
-- them at once, `fura config` shows what is in force and where each value came from.
--
-- The variable named behind a key always wins over the file. Each also exists as NAME_FILE: the path of a file that
-- holds the value. An empty variable counts as unset. In development a .env file beside the conf is read too, below
-- the real environment. `nil` means «not set».
--
-- (restart): read once at start; a reload that changes it is refused with that word. All others change by reload.

return {
  -- "development" or "production". Production refuses weak secrets and test switches, and turns on Secure cookies
  -- and HSTS. FURA_ENV (restart)
  env = "development",

  -- Worker processes; 0 = one per core of the machine. FURA_WORKERS (restart)
  workers = 0,

  -- Where HTTP is served: 127.0.0.1:8080, [::]:80, unix:PATH, ssl:ADDR:PORT; several with commas or as a list.
  -- Development refuses addresses that others can reach. FURA_LISTEN (restart)
  listen = "127.0.0.1:8080",

  -- The control socket of `fura status`, `reload`, …; nil = unix:control.sock in the run folder. Keep it private:
  -- who reaches it can stop the server. FURA_ADMIN_LISTEN (restart)
  admin_listen = nil,

  -- Where /metrics is served; nil = on `listen`, where it answers 404 in production. FURA_METRICS_LISTEN (restart)
  metrics_listen = nil,

  -- Folder of the control socket; nil = /run/fura when it is writable (systemd makes it), else .data/run.
  -- FURA_RUN_DIR (restart)
  run_folder = nil,

  -- Networks of your proxies and balancers: only their X-Forwarded-For, X-Forwarded-Proto and PROXY protocol are
  -- believed, else anybody could pretend to be anybody. Empty = none. FURA_TRUSTED_PROXIES (restart)
  trusted_proxies = "",

  -- PEM files for ssl: listeners: the certificate with its chain, and its key. (restart)
  tls_cert = nil,
  tls_key = nil,

  -- Allows development on addresses that are not loopback, for a phone in your own network. (restart)
  allow_public_development = false,

  -- Log file; nil = stderr. After rotating it send USR1. (restart)
  log_file = nil,

  -- "debug", "info", "warn" or "error": the least that is logged. (restart)
  log_level = "info",

  -- IANA time zone of dates shown to people («до 5 мая») and of daily charts and jobs.
  timezone = "Europe/Moscow",

  -- Plugins in use, by name, each with its own settings: plugins = { slow_requests = { threshold_ms = 300 } }.
  -- Their order comes from their stages, not from here. `fura plugins` shows it.
  plugins = {},

  -- Memory shared by all workers of this node for caches and counters, MiB. When full, the least recently used
  -- entries go. (restart)
  shared_memory_mb = 64,

  -- Lua memory of one generation in one worker, MiB. A script beyond it fails; the server goes on.
  lua_memory_mb = 256,

  -- How long /readyz?serve=1 says 503 before listeners close, seconds, so that balancers turn away first.
  -- nil = 3 in production, 0 in development.
  drain_notice_s = nil,

  -- After a reload: how long requests may finish on the old scripts, seconds. Then they are ended.
  drain_deadline_s = 60,

  -- After TERM: how long requests may take to finish, seconds. Then they are ended.
  shutdown_timeout_s = 30,

  -- Limits of the HTTP server. They protect memory and workers from slow, huge and hostile clients.
  http = {
    max_url_bytes = 8192, -- longer: 414 (restart)
    max_header_bytes = 32768, -- all header fields together; more: 431 (restart)
    max_headers = 100, -- more fields: 431 (restart)
    max_body_bytes = 1048576, -- larger: 413 before any script runs; a route may set its own (restart)
    head_timeout_ms = 10000, -- until the header is complete, milliseconds (restart)
    body_timeout_ms = 30000, -- until the body is complete, milliseconds (restart)
    idle_timeout_ms = 75000, -- a kept-alive connection without requests, milliseconds (restart)
    write_timeout_ms = 30000, -- a client that reads nothing, milliseconds (restart)
    max_connections = 20000, -- per worker; further ones wait in the kernel (restart)
    max_requests = 4096, -- being answered at once, per worker; further ones get 503 `overloaded` (restart)
    access_log = true, -- one log line a request (restart)
    request_deadline_ms = 30000, -- a request and everything it waits for, milliseconds; routes may set less (restart)
  },

  -- What each worker keeps in its memory for `fura replay`: method, path, query, language and driver of requests, without
  -- tokens, bodies, addresses and secrets, for a day at most.
  replay = {
    keep = 200, -- requests per worker, as different ones as possible; 0 = none (restart)
  },

  -- CPU time a script may use between two waits. A rule counts from its call to its return.
  scripts = {
    warn_ms = 50, -- beyond it the stack is logged, milliseconds; 0 = never (restart)
    kill_ms = 500, -- beyond it the script is stopped, milliseconds; 0 = never (restart)
  },

  redis = {
    -- redis://[user:password@]host:port/db, rediss://…, unix:///path?db=0, or
    -- redis+sentinel://h1:p,h2:p/NAME/DB. REDIS_URL (restart)
    url = "redis://127.0.0.1:6379/0",
    ca_file = nil, -- PEM file of trusted authorities for rediss://; nil = those of the system (restart)
    connect_timeout_ms = 2000, -- milliseconds (restart)
    max_in_flight = 10000, -- commands waiting for replies, per worker; beyond it calls fail at once (restart)
  },

  database = {
    -- PostgreSQL, as a libpq URI: postgresql://user:password@host:5432/fura. Through PgBouncer is fine.
    -- Required in production. DATABASE_URL (restart)
    url = nil,

    -- The same database without a pooler between, for LISTEN, migrations and locks; nil = url.
    -- DATABASE_DIRECT_URL (restart)
    direct_url = nil,

    pool_size = 20, -- connections of this node, shared out among its workers (restart)
    max_waiting = 1000, -- queries waiting for a connection, per worker; beyond it they fail at once (restart)
    connect_timeout_ms = 3000, -- milliseconds (restart)
    statement_timeout_ms = 5000, -- milliseconds; the server ends a longer statement (restart)
  },

  -- Calls to other services (CargoTech, Telegram, YooKassa, plugins).
  fetch = {
    max_per_host = 64, -- connections to one host, per worker; further calls wait their turn (restart)
    max_in_flight = 1024, -- calls under way, per worker; beyond it they fail at once (restart)
    ca_file = nil, -- PEM file of trusted authorities; nil = those of the system (restart)
  },

  cluster = {
    nodes = 1, -- how many nodes share the CargoTech limit when Redis is away and cannot count them
  },

  development = {
    watch = true, -- reload by itself when a file under lua/, plugins/ or the conf changes; never in production (restart)
  },

  -- Public address of the app: in the bot's buttons, and where payments return to. WEBAPP_URL
  webapp_url = "http://127.0.0.1:8080/",

  session = {
    -- Signs session tokens; at least 32 random bytes. "new,old" while rotating: the first signs, all are accepted.
    -- Required in production. SESSION_SECRET
    secret = nil,
  },

  -- Base64 of 32 random bytes (`openssl rand -base64 32`), "new,old" while rotating: encrypts secrets kept in the
  -- database. Losing it loses them. Required in production. SETTINGS_ENCRYPTION_KEY
  settings_encryption_key = nil,

  -- How old Telegram's initData may be at login, seconds, 60 to 2147483647. INIT_DATA_MAX_AGE
  init_data_max_age_s = 86400,

  -- Limits per driver and address; off for load tests only, refused in production. FURA_RATE_LIMITS
  rate_limits = true,

  -- The page offers «войти как водитель» to loopback clients; refused in production. FURA_DEV_LOGIN
  dev_login = false,

  telegram = {
    bot_token = nil, -- as BotFather gives it. Required in production. TELEGRAM_BOT_TOKEN
    api_url = "https://api.telegram.org", -- TELEGRAM_API_URL
    responses_chat_id = nil, -- chat for responses of drivers; groups are negative. TELEGRAM_RESPONSES_CHAT_ID
    alerts_chat_id = nil, -- chat for alerts to ops. TELEGRAM_ALERTS_CHAT_ID

    -- What X-Telegram-Bot-Api-Secret-Token must say: random, A-Z a-z 0-9 _ -, at most 256.
    -- Required in production. TELEGRAM_WEBHOOK_SECRET
    webhook_secret = nil,

    -- Ids of other bots whose initData is accepted by Telegram's own signature (Ed25519).
    trusted_bots = {},
  },

  cargotech = {
    api_url = "https://api.cargotech.pro", -- CARGOTECH_API_URL

    -- The shared account. Only from the environment, so that it is in no file of the application.
    phone = nil, -- CARGOTECH_PHONE
    password = nil, -- CARGOTECH_PASSWORD

    token_cache_ttl_s = 86400, -- how long its token is kept, seconds. CARGOTECH_TOKEN_CACHE_TTL
  },

  yookassa = {
    api_url = "https://api.yookassa.ru/v3", -- YOOKASSA_API_URL

    -- Used until the admin panel has others, which win.
    shop_id = nil, -- YOOKASSA_SHOP_ID
    secret_key = nil, -- YOOKASSA_SECRET_KEY

    -- When set, notifications must carry X-Webhook-Signature: sha256=HMAC of the raw body. YooKassa signs nothing
    -- itself: this is for a signing proxy in front. YOOKASSA_WEBHOOK_SECRET
    webhook_secret = nil,

    -- When set, only /webhooks/yookassa/{key} is accepted: a second factor that works without a proxy.
    -- YOOKASSA_WEBHOOK_PATH_KEY
    webhook_path_key = nil,

    -- Networks that notifications may come from, as YooKassa publishes them; "*" = any, refused in production.
    -- YOOKASSA_ALLOWED_IPS
    allowed_ips = {
      "185.71.76.0/27",
      "185.71.77.0/27",
      "77.75.153.0/25",
      "77.75.156.11",
      "77.75.156.35",
      "77.75.154.128/25",
      "2a02:5180::/32",
    },
  },

  -- How long answers of CargoTech are kept, seconds.
  cache = {
    list_s = 300, -- a page of the list
    detail_s = 900, -- one cargo
    points_s = 86400, -- cities and dictionaries
    stale_s = 86400, -- a copy beyond its life, shown when CargoTech does not answer
  },

  -- How long what is no longer needed is kept.
  retention = {
    sessions_d = 90, -- ended sessions, days
    inbox_d = 180, -- bodies of payment notifications, days
    outbox_d = 180, -- texts of sent messages, days
    audit_months = 36, -- the audit log, months; whole months are dropped
  },
}
