/* version.c: `fura version`: what this binary is made of, and whether its watchdog works on this machine. */
#include "command/command.h"
#include "json.h"
#include "base/crypto.h"
#include "net/fetch.h"
#include "net/loop.h"
#include "net/pgsql.h"
#include "net/redis.h"
#include "script/watchdog.h"

#include <lauxlib.h>
#include <luajit.h>
#include <stdio.h>

struct fact {
    const char *name, *value;
};

/* Lets a script run over a small budget, as every worker does at its start. */
static const char *probe_watchdog(void)
{
    lua_State *L = luaL_newstate();

    watchdog_start();
    watchdog_hold(L);
    const char *mode = watchdog_mode();
    watchdog_leave(L);
    watchdog_stop();
    lua_close(L);
    return mode;
}

int version_run(const struct invocation *invocation)
{
    char pq[32];
    pgsql_library(pq, sizeof pq);
    const struct fact facts[] = {
        {"fura", FURA_VERSION},
        {"luajit", LUAJIT_VERSION},
        {"libevent", loop_library()},
        {"libcurl", fetch_library()},
        {"libpq", pq},
        {"hiredis", redis_library()},
        {"openssl", crypto_library()},
        {"build", FURA_BUILD},
        {"watchdog", probe_watchdog()},
    };
    struct buf out = {0};

    buf_append_char(&out, '{');
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        json_put_member(&out, facts[i].name, slice_cstr(facts[i].value));
        if (!invocation->json)
            printf("%-9s %s\n", facts[i].name, facts[i].value);
    }
    if (invocation->json)
        printf("%s}\n", buf_cstr(&out));
    buf_free(&out);
    return EXIT_OK;
}
