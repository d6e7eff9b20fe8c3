/* host.shared as scripts see it. */
#include "lua_state.h"

#include "base/shm.h"

static struct shm *shm;

static int open_shared(void **state)
{
    (void)state;
    shm = shm_create(1 << 20);
    lua_state_open(bind_shared_open, &(struct host){.shm = shm});
    return 0;
}

static int close_shared(void **state)
{
    (void)state;
    lua_close(L);
    shm_free(shm);
    return 0;
}

static void values_keep_their_type(void **state)
{
    (void)state;
    assert_lua("return m.set('s', 'a\\0b'), #m.get('s'), m.get('s') == 'a\\0b'", "true 3 true");
    assert_lua("m.set('n', 1.5) return m.get('n') + 1", "2.5");
    assert_lua("m.set('f', false) return m.get('f')", "false");
    assert_lua("return m.get('absent')", "");
    assert_lua("m.delete('s') return m.get('s')", "");
    assert_lua("m.set('t', 1, 60000) local v, ttl = m.get('t') return ttl > 50000 and ttl <= 60000",
               "true");
    assert_lua("return m.set('now', 1, -5), select(2, m.get('now')) ~= nil or m.get('now') == nil",
               "true true");
}

static void add_and_compare_and_set_say_whether_they_did(void **state)
{
    (void)state;
    assert_lua("return m.add('k', 1), m.add('k', 2), m.get('k')", "true false 1");
    assert_lua("return m.compare_and_set('k', 2, 3), m.compare_and_set('k', 1, 'x'), m.get('k')",
               "false true x");
    assert_lua("return m.compare_and_set('new', nil, 1), m.compare_and_set('new', nil, 2)",
               "true false");
}

static void counters_count(void **state)
{
    (void)state;
    assert_lua("return m.increment('c'), m.increment('c', 2.5), m.increment('c', -1, 1000)",
               "1 3.5 2.5");
    assert_lua("m.set('s', 'text') local v, why = m.increment('s') return v, why",
               "nil shared: invalid: the key holds no number");
}

static void a_value_that_cannot_fit_is_a_failure(void **state)
{
    (void)state;
    assert_lua("local ok, why = m.set('k', ('x'):rep(2 ^ 21)) return ok, why.code", "nil too_big");
}

static void wrong_calls_raise(void **state)
{
    (void)state;
    assert_lua("m.set('k', {})",
               "raised: t:1: bad argument #2 to 'set' (a string, number or boolean is wanted)");
    assert_lua("m.set('k', nil)",
               "raised: t:1: bad argument #2 to 'set' (a string, number or boolean is wanted)");
    assert_lua("m.get('')", "raised: t:1: bad argument #1 to 'get' (a key has 1 to 1024 bytes)");
    assert_lua("m.set('k', 1, 0 / 0)",
               "raised: t:1: bad argument #3 to 'set' (not a number of milliseconds)");
    assert_lua("m.increment('k', 1 / 0)",
               "raised: t:1: bad argument #2 to 'increment' (not a finite number)");
}

int main(void)
{
#define SHARED_TEST(test) cmocka_unit_test_setup_teardown(test, open_shared, close_shared)
    const struct CMUnitTest tests[] = {
        SHARED_TEST(values_keep_their_type),
        SHARED_TEST(add_and_compare_and_set_say_whether_they_did),
        SHARED_TEST(counters_count),
        SHARED_TEST(a_value_that_cannot_fit_is_a_failure),
        SHARED_TEST(wrong_calls_raise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
