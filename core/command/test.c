/* test.c: `fura test [PATH…]`: busted specs inside the runtime. How they are found, run and counted is the business of
 * lua/tool/test.lua, which gets the application's folder, the words of the command line and whether JSON is wanted, and
 * returns the exit status. The watchdog runs, so that rules and plugins have their budgets as in the server. */
#include "command/session.h"
#include "script/watchdog.h"

#include <lauxlib.h>

int test_run(const struct invocation *invocation)
{
    int status = EXIT_REFUSED;

    watchdog_start();
    struct session *session = session_open(invocation, "test", true);
    if (session && session_load_bundled(session, "lua/tool/test.lua")) {
        lua_State *L = session_lua(session);
        lua_pushstring(L, invocation->source.root);
        lua_createtable(L, invocation->argc, 0);
        for (int i = 0; i < invocation->argc; i++) {
            lua_pushstring(L, invocation->argv[i]);
            lua_rawseti(L, -2, i + 1);
        }
        lua_pushboolean(L, invocation->json);
        session_heed_signals(session, NULL, NULL);
        status = session_call(session, 3, "test");
    }
    if (session)
        session_close(session);
    watchdog_stop();
    return status;
}
