/* What all objects of the host have in common. */
#include "lua_state.h"

#include "bind/exchange.h"

static void open_all(lua_State *state, struct host *host)
{
    bind_open_host(state, host);
    request_open(state);
}

/* A finalizer called by hand, on anything, would end the worker. */
static void objects_of_the_host_cannot_be_taken_apart(void **state)
{
    static int anything;
    struct host host = {.redis = (void *)&anything, .pgsql = (void *)&anything};
    unsigned count = 0;
    (void)state;
    lua_state_open(open_all, &host);
    assert_lua("return getmetatable(m.task.semaphore(1))", "false");
    for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || strncmp(lua_tostring(L, -2), "fura.", 5) != 0)
            continue;
        count++;
        lua_getfield(L, -1, "__metatable");
        if (!lua_isboolean(L, -1))
            fail_msg("getmetatable() gives the metatable of %s", lua_tostring(L, -3));
        lua_pop(L, 1);
    }
    assert_true(count >= 8);
    lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_of_the_host_cannot_be_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
