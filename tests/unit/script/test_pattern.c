/* The pattern functions give what LuaJIT's give, errors included; and unlike those they can be stopped. */
#include "../base/unit.h"

#include "script/long_call.c"
#include "script/watchdog.h"

#include <lualib.h>

enum { SEEDS = 8, CASES = 12000, NEVER_NATIVE = -1 };

static lua_State *L;

/* "native" is LuaJIT's library as it was. */
static int open_with_steps(double quick_steps)
{
    L = luaL_newstate();
    luaL_openlibs(L);
    assert_int_equal(luaL_dostring(L, "native = {} for k, v in pairs(string) do native[k] = v end"),
                     0);
    open_with(L, quick_steps);
    return 0;
}

static int open_state(void **state)
{
    (void)state;
    return open_with_steps(QUICK_STEPS);
}

static int open_ours(void **state)
{
    (void)state;
    return open_with_steps(NEVER_NATIVE);
}

static int close_state(void **state)
{
    (void)state;
    lua_close(L);
    return 0;
}

static void gives_what_luajit_gives(void **state)
{
    (void)state;
    for (int seed = 1; seed <= SEEDS; seed++) {
        if (luaL_loadfile(L, "tests/unit/script/pattern_compare.lua") != 0)
            fail_msg("%s", lua_tostring(L, -1));
        lua_getglobal(L, "native");
        lua_getglobal(L, "string");
        lua_pushinteger(L, seed);
        lua_pushinteger(L, CASES);
        if (lua_pcall(L, 4, 0, 0) != 0)
            fail_msg("%s", lua_tostring(L, -1));
    }
}

static void finds_long_texts_plainly_at_once(void **state)
{
    (void)state;
    if (luaL_dostring(L, "local a = ('a'):rep(1e6)\n"
                         "local b = a:sub(1, 5e5) .. 'b'\n"
                         "assert(not a:find(b, 1, true) and not a:find(b))\n"
                         "local first, last = (a .. b):find(b, 1, true)\n"
                         "assert(first == 1000001 and last == 1500001)\n") != 0)
        fail_msg("%s", lua_tostring(L, -1));
}

static void sorts_long_lists_as_luajit_does(void **state)
{
    (void)state;
    if (luaL_dostring(L, "local list, last = {}, 0\n"
                         "for i = 1, 5000 do list[i] = (i * 7919) % 5003 end\n"
                         "table.sort(list)\n"
                         "for _, value in ipairs(list) do assert(value > last) last = value end\n"
                         "local ok, problem = pcall(table.sort, nil)\n"
                         "assert(not ok and problem:find('table expected', 1, true))\n") != 0)
        fail_msg("%s", lua_tostring(L, -1));
}

static const char *const bombs[] = {
    "return (('a'):rep(28)):find(('a?'):rep(28) .. ('a'):rep(29))",
    "return (('a'):rep(40)):match(('a*'):rep(20) .. 'b')",
    "for _ in (('a'):rep(40)):gmatch(('a-'):rep(20) .. 'b') do end",
    "return (('a'):rep(40)):gsub(('(a*)'):rep(20) .. 'b', '%1')",
    "return ('('):rep(1e6):find('%b()')",
    "return ('a'):rep(1e5):find('(a*)%1b')",
    "return ('a'):rep(2e5):find('.-.-b')",
    "return ('a'):rep(1e6):find('[' .. ('b'):rep(1e6) .. ']')",
    "while true do pcall(string.find, ('a'):rep(40), ('a?'):rep(40) .. ('a'):rep(41)) end",
};

static void stops_patterns_without_end(void **state)
{
    (void)state;
    watchdog_start();
    watchdog_hold(L);
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
        lua_State *co = lua_newthread(L);
        struct watchdog_run run = {.co = co, .label = "bomb", .kill_ms = 20};
        assert_int_equal(luaL_loadstring(co, bombs[i]), 0);
        watchdog_begin(&run);
        lua_resume(co, 0);
        if (!watchdog_end(&run))
            fail_msg("it was not stopped: %s", bombs[i]);
        lua_pop(L, 1);
    }
    watchdog_leave(L);
    watchdog_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gives_what_luajit_gives, open_ours, close_state),
        cmocka_unit_test_setup_teardown(gives_what_luajit_gives, open_state, close_state),
        cmocka_unit_test_setup_teardown(finds_long_texts_plainly_at_once, open_state, close_state),
        cmocka_unit_test_setup_teardown(sorts_long_lists_as_luajit_does, open_state, close_state),
        cmocka_unit_test_setup_teardown(stops_patterns_without_end, open_state, close_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
