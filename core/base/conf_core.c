/* conf_core.c: the core's own settings. What each is for stands in conf/default.lua, the manual; a test holds the two
 * together. A key read once at start is marked `restart`. */
#include "base/conf_parts.h"

/* clang-format off */
#define SWITCH(key) .name = key, .type = CONF_TYPE_BOOLEAN
#define TEXT(key) .name = key, .type = CONF_TYPE_STRING
#define LISTEN(key) .name = key, .type = CONF_TYPE_LISTEN_LIST, .restart = true
#define NUMBER(key, from, to, of) .name = key, .type = CONF_TYPE_INTEGER, .min = (from), .max = (to), .unit = (of)

enum { DAY_S = 86400, HOUR_MS = 3600 * 1000, GIGABYTE = 1 << 30 };

const struct conf_key conf_core_keys[] = {
    {TEXT("env"), .initial = "development", .env = "FURA_ENV", .one_of = "development|production", .restart = true},
    {NUMBER("workers", 0, 1024, NULL), .initial = "0", .env = "FURA_WORKERS", .restart = true},
    {LISTEN("listen"), .initial = "127.0.0.1:8080", .env = "FURA_LISTEN"},
    {LISTEN("admin_listen"), .env = "FURA_ADMIN_LISTEN"},
    {LISTEN("metrics_listen"), .env = "FURA_METRICS_LISTEN"},
    {TEXT("run_folder"), .env = "FURA_RUN_DIR", .restart = true},
    {.name = "trusted_proxies", .type = CONF_TYPE_CIDR_LIST, .initial = "", .env = "FURA_TRUSTED_PROXIES", .restart = true},
    {TEXT("tls_cert"), .restart = true},
    {TEXT("tls_key"), .restart = true},
    {SWITCH("allow_public_development"), .initial = "off", .restart = true},
    {TEXT("log_file"), .restart = true},
    {TEXT("log_level"), .initial = "info", .one_of = "debug|info|warn|error", .restart = true},
    {TEXT("timezone"), .initial = "Europe/Moscow"},
    {.name = "plugins", .type = CONF_TYPE_TABLE, .initial = ""},

    {NUMBER("shared_memory_mb", 1, 65536, "MiB"), .initial = "64", .restart = true},
    {NUMBER("lua_memory_mb", 16, 2048, "MiB"), .initial = "256"},
    {NUMBER("drain_notice_s", 0, 600, "seconds")},
    {NUMBER("drain_deadline_s", 1, DAY_S, "seconds"), .initial = "60"},
    {NUMBER("shutdown_timeout_s", 1, DAY_S, "seconds"), .initial = "30"},

    {NUMBER("http.max_url_bytes", 256, 65536, "bytes"), .initial = "8192", .restart = true},
    {NUMBER("http.max_header_bytes", 1024, 1 << 20, "bytes"), .initial = "32768", .restart = true},
    {NUMBER("http.max_headers", 10, 1000, NULL), .initial = "100", .restart = true},
    {NUMBER("http.max_body_bytes", 0, GIGABYTE, "bytes"), .initial = "1048576", .restart = true},
    {NUMBER("http.head_timeout_ms", 100, HOUR_MS, "milliseconds"), .initial = "10000", .restart = true},
    {NUMBER("http.body_timeout_ms", 100, HOUR_MS, "milliseconds"), .initial = "30000", .restart = true},
    {NUMBER("http.idle_timeout_ms", 100, HOUR_MS, "milliseconds"), .initial = "75000", .restart = true},
    {NUMBER("http.write_timeout_ms", 100, HOUR_MS, "milliseconds"), .initial = "30000", .restart = true},
    {NUMBER("http.max_connections", 1, 1000000, NULL), .initial = "20000", .restart = true},
    {NUMBER("http.max_requests", 1, 1000000, NULL), .initial = "4096", .restart = true},
    {SWITCH("http.access_log"), .initial = "on", .restart = true},
    {NUMBER("http.request_deadline_ms", 100, HOUR_MS, "milliseconds"), .initial = "30000", .restart = true},

    {NUMBER("replay.keep", 0, 2000, NULL), .initial = "200", .restart = true},

    {NUMBER("scripts.warn_ms", 0, HOUR_MS, "milliseconds"), .initial = "50", .restart = true},
    {NUMBER("scripts.kill_ms", 0, HOUR_MS, "milliseconds"), .initial = "500", .restart = true},

    {.name = "redis.url", .type = CONF_TYPE_URL, .schemes = "redis|rediss|unix|redis+sentinel", .credentials = true,
     .initial = "redis://127.0.0.1:6379/0", .env = "REDIS_URL", .restart = true},
    {NUMBER("redis.connect_timeout_ms", 10, 60000, "milliseconds"), .initial = "2000", .restart = true},
    {TEXT("redis.ca_file"), .restart = true},
    {NUMBER("redis.max_in_flight", 1, 1000000, NULL), .initial = "10000", .restart = true},

    {.name = "database.url", .type = CONF_TYPE_URL, .schemes = "postgresql|postgres", .credentials = true,
     .env = "DATABASE_URL", .restart = true, .required_in_production = true},
    {.name = "database.direct_url", .type = CONF_TYPE_URL, .schemes = "postgresql|postgres", .credentials = true,
     .env = "DATABASE_DIRECT_URL", .restart = true},
    {NUMBER("database.pool_size", 1, 1000, NULL), .initial = "20", .restart = true},
    {NUMBER("database.max_waiting", 0, 100000, NULL), .initial = "1000", .restart = true},
    {NUMBER("database.connect_timeout_ms", 10, 60000, "milliseconds"), .initial = "3000", .restart = true},
    {NUMBER("database.statement_timeout_ms", 10, HOUR_MS, "milliseconds"), .initial = "5000", .restart = true},

    {NUMBER("fetch.max_per_host", 1, 10000, NULL), .initial = "64", .restart = true},
    {NUMBER("fetch.max_in_flight", 1, 100000, NULL), .initial = "1024", .restart = true},
    {TEXT("fetch.ca_file"), .restart = true},

    {NUMBER("cluster.nodes", 1, 10000, NULL), .initial = "1"},
    {SWITCH("development.watch"), .initial = "on", .restart = true},
};
/* clang-format on */

const unsigned conf_core_key_count = sizeof conf_core_keys / sizeof *conf_core_keys;
