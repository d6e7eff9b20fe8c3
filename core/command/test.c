/* test.c: `fura test [PATH]`: busted specs inside the runtime. How they are found, run and counted is the business of
 * lua/tool/test.lua, which gets the application's folder and the paths, and returns the exit status. */
#include "command/session.h"

#include <lauxlib.h>

int test_run(const struct invocation *invocation)
{
    int status = EXIT_REFUSED;
    struct session *session = session_open(invocation, "test", true);

    if (!session)
        return EXIT_REFUSED;
    if (session_load_bundled(session, "lua/tool/test.lua")) {
        lua_State *L = session_lua(session);
        lua_pushstring(L, invocation->source.root);
        lua_createtable(L, invocation->argc, 0);
        for (int i = 0; i < invocation->argc; i++) {
            lua_pushstring(L, invocation->argv[i]);
            lua_rawseti(L, -2, i + 1);
        }
        status = session_call(session, 2, "test");
    }
    session_close(session);
    return status;
}
