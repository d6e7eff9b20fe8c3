/* run.c: `fura run FILE [ARGS]`: one script in the runtime, with I/O, for maintenance. */
#include "command/session.h"
#include "base/file.h"
#include "script/watchdog.h"

#include <lauxlib.h>
#include <stdio.h>

enum { SCRIPT_MAX_BYTES = 8 << 20 };

static int run_script(struct session *session, struct slice source,
                      const struct invocation *invocation)
{
    lua_State *L = session_lua(session);
    const char *path = invocation->argv[0];

    lua_pushfstring(L, "@%s", path);
    if (!session_load(session, source, lua_tostring(L, -1)))
        return EXIT_REFUSED;
    luaL_checkstack(L, invocation->argc, "too many arguments");
    for (int i = 1; i < invocation->argc; i++)
        lua_pushstring(L, invocation->argv[i]);
    session_heed_signals(session, NULL, NULL);
    return session_call(session, invocation->argc - 1, path);
}

int run_run(const struct invocation *invocation)
{
    struct buf source = {0};
    int status = EXIT_REFUSED;

    if (invocation->argc < 1)
        return command_usage(invocation);
    if (file_read(invocation->argv[0], SCRIPT_MAX_BYTES, &source) != R_OK) {
        fprintf(stderr, "fura: cannot read %s\n", invocation->argv[0]);
        return EXIT_REFUSED;
    }
    watchdog_start(); /* it may compute as long as it likes, but Ctrl-C ends it */
    struct session *session = session_open(invocation, "run", true);
    if (session) {
        status = run_script(session, buf_slice(&source), invocation);
        session_close(session);
    }
    watchdog_stop();
    buf_free(&source);
    return status;
}
