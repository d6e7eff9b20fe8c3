/* Whose errors a VM's memory limit may raise: those of running scripts, never those of the core. */
#include "script/vm.c" /* before cmocka, whose macro fail() is another one */

#include "../base/unit.h"

enum { LIMIT = 4 << 20 };

static int l_ask_much(lua_State *L)
{
    (void)lua_newuserdata(L, 3 * LIMIT);
    return 0;
}

static void a_script_that_asks_far_beyond_the_limit_is_refused(void **state)
{
    lua_State *L = new_state(LIMIT);
    struct watchdog_run run = {.co = L, .label = "script"};
    (void)state;

    watchdog_begin(&run);
    bool before = vm_refuse_memory(true);
    assert_int_equal(lua_cpcall(L, l_ask_much, NULL), LUA_ERRMEM);
    assert_true(vm_refuse_memory(before));
    watchdog_end(&run);
    close_state(L);
}

static void what_the_core_pushes_while_a_script_runs_is_not_refused(void **state)
{
    lua_State *L = new_state(LIMIT);
    struct watchdog_run run = {.co = L, .label = "script"};
    (void)state;

    watchdog_begin(&run);
    bool before = vm_refuse_memory(true);
    assert_true(vm_refuse_memory(false));
    assert_non_null(lua_newuserdata(L, 3 * LIMIT)); /* an error here would end the process */
    lua_pushliteral(L, "the core's own words");
    vm_describe_error(L);
    vm_refuse_memory(before);
    watchdog_end(&run);
    assert_true(vm_memory(L) > 3 * LIMIT);
    close_state(L);
}

static void without_a_running_script_nothing_is_refused(void **state)
{
    lua_State *L = new_state(LIMIT);
    (void)state;

    bool before = vm_refuse_memory(true);
    assert_non_null(lua_newuserdata(L, 3 * LIMIT));
    vm_refuse_memory(before);
    close_state(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_that_asks_far_beyond_the_limit_is_refused),
        cmocka_unit_test(what_the_core_pushes_while_a_script_runs_is_not_refused),
        cmocka_unit_test(without_a_running_script_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
