/* Scripts interrupted thousands of times compute what they would have computed in one go, and budgets hold over all slices. */
#include "../base/unit.h"
#include "script/watchdog.c"

#include <lualib.h>

enum { INTERRUPTIONS = 2000, LANES = 4 };

static lua_State *L;

/* What product code does: tables, strings, sorting with a callback, pcall, metamethods, coroutines of its own. Each
 * returns one number. */
static const char *const workloads[] = {
    "local n = 1 for i = 1, 3e6 do n = (n * 16807 + i) % 2147483647 end return n",

    "local t, n = {}, 0 for i = 1, 3e4 do t[i] = { price = i % 977, name = 'n' .. i } end "
    "for _ = 1, 5 do for i, v in ipairs(t) do n = (n + v.price * #v.name + i) % 1e9 end end return "
    "n",

    "local n = 0 for i = 1, 6000 do local s = ('%d:%s'):format(i, ('x'):rep(i % 17)) "
    "for word in s:gmatch('%d+') do n = n + tonumber(word) + #s end end return n",

    "local t, x = {}, 7 for i = 1, 8000 do x = (x * 16807) % 2147483647 t[i] = x end "
    "table.sort(t, function(a, b) return a < b end) local n = 0 "
    "for i = 1, #t do n = (n + t[i] * i) % 1e9 end return n",

    "local n = 0 for i = 1, 20000 do local ok, e = pcall(function() "
    "if i % 3 == 0 then error({ code = i }) end return i end) "
    "n = n + (ok and e or e.code * 2) end return n",

    "local point = setmetatable({}, { __index = function(_, k) return k * 2 end, "
    "__add = function(a, b) return b + 1 end }) "
    "local n = 0 for i = 1, 200000 do n = (n + point[i] + (point + i)) % 1e9 end return n",

    "local n = 0 for i = 1, 3000 do local co = coroutine.wrap(function(a) "
    "local b = coroutine.yield(a + 1) for k = 1, 40 do b = b + k end return b * 2 end) "
    "n = n + co(i) + co(n % 100) end return n",

    "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end return "
    "fib(24)",

    "local s = '' for i = 1, 3000 do s = s .. (i % 10) if #s > 400 then s = s:sub(200) end end "
    "local n = 0 for i = 1, #s do n = (n * 31 + s:byte(i)) % 1e9 end return n",
};
enum { WORKLOADS = sizeof workloads / sizeof *workloads };

static void load(lua_State *co, unsigned index)
{
    assert_int_equal(luaL_loadbuffer(co, workloads[index], strlen(workloads[index]), "@work.lua"),
                     0);
}

struct lane {
    lua_State *co;
    int ref;
    unsigned workload;
    struct watchdog_run run;
};

static void begin_lane(struct lane *lane, unsigned workload)
{
    lane->workload = workload;
    lane->co = lua_newthread(L);
    lane->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    load(lane->co, workload);
    lane->run = (struct watchdog_run){.co = lane->co, .label = "work", .sliceable = true};
}

/* One slice; true when it came to its end. */
static bool advance(struct lane *lane)
{
    watchdog_begin(&lane->run);
    int rc = lua_resume(lane->co, 0);
    assert_false(watchdog_end(&lane->run));
    if (lane->run.sliced) {
        assert_int_equal(rc, LUA_YIELD);
        lane->run.used_ns = watchdog_used_ns(&lane->run);
        return false;
    }
    if (rc != 0)
        fail_msg("%s", lua_tostring(lane->co, -1));
    return true;
}

static void run_interleaved(const double *expected)
{
    struct lane lanes[LANES];
    unsigned interruptions = 0, next = 0;

    for (unsigned i = 0; i < LANES; i++)
        begin_lane(&lanes[i], next++ % WORKLOADS);
    for (unsigned turn = 0; interruptions < INTERRUPTIONS || next < 3 * WORKLOADS; turn++) {
        struct lane *lane = &lanes[turn % LANES];
        if (!advance(lane)) {
            interruptions++;
            continue;
        }
        assert_true(lua_tonumber(lane->co, -1) == expected[lane->workload]);
        luaL_unref(L, LUA_REGISTRYINDEX, lane->ref);
        begin_lane(lane, next++ % WORKLOADS);
    }
}

static void compute_expected(double *expected)
{
    for (unsigned i = 0; i < WORKLOADS; i++) {
        load(L, i);
        lua_call(L, 0, 1);
        expected[i] = lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
}

static void test_interrupted_scripts_compute_the_same(void **state)
{
    double expected[WORKLOADS];
    (void)state;
    compute_expected(expected);
    watchdog_hold(L);
    assert_string_equal(watchdog_mode(), "jit");
    run_interleaved(expected);
}

static void test_interrupted_interpreted_scripts_compute_the_same(void **state)
{
    double expected[WORKLOADS];
    (void)state;
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    compute_expected(expected);
    run_interleaved(expected);
}

static bool run_to_the_end(struct watchdog_run *run, unsigned *slices)
{
    bool stopped;
    *slices = 0;
    do {
        watchdog_begin(run);
        lua_resume(run->co, 0);
        stopped = watchdog_end(run);
        run->used_ns = watchdog_used_ns(run);
        *slices += run->sliced;
    } while (run->sliced);
    return stopped;
}

static void test_a_budget_counts_over_all_slices(void **state)
{
    struct watchdog_run run = {
        .co = lua_newthread(L), .label = "endless", .sliceable = true, .kill_ms = 60};
    unsigned slices;
    (void)state;

    watchdog_hold(L);
    assert_int_equal(luaL_loadbuffer(run.co, "while true do end", 17, "@endless.lua"), 0);
    int64_t before_ns = read_cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    assert_true(run_to_the_end(&run, &slices));
    int64_t took_ms = (read_cpu_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns) / 1000000;
    assert_true(slices >= 2);
    assert_in_range(took_ms, 55, 160);
}

static void test_what_may_not_be_interrupted_runs_in_one_go(void **state)
{
    static const struct {
        const char *name, *source;
        bool sliceable;
        unsigned slices_max; /* before and after its long part it may be interrupted */
    } cases[] = {
        {"@task.lua", "local n = 0 for i = 1, 5e7 do n = n + i % 3 end", false, 0},
        {"=host.core", "local n = 0 for i = 1, 5e7 do n = n + i % 3 end", true, 0},
        {"@inner.lua",
         "coroutine.wrap(function() local n = 0 for i = 1, 5e7 do n = n + i % 3 end end)()", true,
         2},
        {"@sort.lua",
         "local t = {} for i = 1, 1000 do t[i] = (i * 7919) % 30011 end return table.sort(t, "
         "function(a, b) for i = 1, 2e4 do a = a + i - i end return a < b end)",
         true, 2},
    };
    (void)state;

    watchdog_hold(L);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct watchdog_run run = {
            .co = lua_newthread(L), .label = "whole", .sliceable = cases[i].sliceable};
        const char *source = cases[i].source;
        unsigned slices;
        assert_int_equal(luaL_loadbuffer(run.co, source, strlen(source), cases[i].name), 0);
        assert_false(run_to_the_end(&run, &slices));
        assert_int_equal(lua_status(run.co), 0);
        assert_in_range(slices, 0, cases[i].slices_max);
    }
}

static int open_state(void **state)
{
    (void)state;
    L = luaL_newstate();
    luaL_openlibs(L);
    tick_us = 100;
    slice_us = 1;
    return 0;
}

static int close_state(void **state)
{
    (void)state;
    watchdog_leave(L);
    lua_close(L);
    return 0;
}

static int start(void **state)
{
    (void)state;
    watchdog_start();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    watchdog_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_interrupted_scripts_compute_the_same, open_state,
                                        close_state),
        cmocka_unit_test_setup_teardown(test_interrupted_interpreted_scripts_compute_the_same,
                                        open_state, close_state),
        cmocka_unit_test_setup_teardown(test_a_budget_counts_over_all_slices, open_state,
                                        close_state),
        cmocka_unit_test_setup_teardown(test_what_may_not_be_interrupted_runs_in_one_go, open_state,
                                        close_state),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
