/* redis_url.h: REDIS_URL taken apart.
 *
 *     redis://[user:password@]host[:port][/db]        port 6379, db 0 when left out
 *     rediss://…                                      the same over TLS
 *     unix://[user:password@]/path/of/socket[?db=0]
 *     redis+sentinel://[user:password@]h1[:p],h2[:p]/NAME[/db]    port 26379
 *
 * User, password, path and NAME are percent-decoded; `:password@` alone is the default user. */
#pragma once

#include "base/result.h"

#include <stdbool.h>
#include <stdint.h>

enum { REDIS_URL_HOSTS_MAX = 8 };

struct redis_endpoint {
    char *host; /* without brackets; the path of a unix socket when port is 0 */
    uint16_t port;
};

struct redis_url {
    bool tls;
    char *user, *password; /* NULL when not given */
    char *master_name;     /* sentinel only, else NULL: then `hosts` are the sentinels */
    struct redis_endpoint hosts[REDIS_URL_HOSTS_MAX];
    unsigned host_count;
    unsigned db;
};

/* R_INVALID with words that never hold the password. Then nothing is to be cleared. */
enum result redis_url_parse(const char *text, struct redis_url *out, struct failure *why);
void redis_url_clear(struct redis_url *url);
