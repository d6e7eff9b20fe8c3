/* host.metrics as scripts see it. */
#include "lua_state.h"

#include "base/metrics.h"

static struct metrics *metrics;

static int open_metrics(void **state)
{
    (void)state;
    metrics = metrics_create(32);
    lua_state_open(bind_metrics_open, &(struct host){.metrics = metrics});
    return 0;
}

static int close_metrics(void **state)
{
    (void)state;
    lua_close(L);
    metrics_free(metrics);
    return 0;
}

static void assert_rendered(const char *line)
{
    const char *text = lua_state_run("return m.render()");
    if (!strstr(text, line))
        fail_msg("no «%s» in:\n%s", line, text);
}

static void one_set_of_labels_is_one_series(void **state)
{
    (void)state;
    lua_state_run("m.count('calls_total', { b = '2', a = 'x' }) m.count('calls_total', { a = 'x', "
                  "b = 2 }, 4)");
    assert_rendered("fura_calls_total{a=\"x\",b=\"2\"} 5\n");
    lua_state_run("m.count('bare_total')");
    assert_rendered("\nfura_bare_total 1\n");
}

static void label_values_are_escaped(void **state)
{
    (void)state;
    lua_state_run("m.gauge('g', 0.5, { v = 'a\"b\\\\c\\nd', up = true })");
    assert_rendered("fura_g{up=\"true\",v=\"a\\\"b\\\\c\\nd\"} 0.5\n");
}

static void durations_become_histograms(void **state)
{
    (void)state;
    lua_state_run("m.observe('h_seconds', 0.2, { r = '/' })");
    assert_rendered("fura_h_seconds_bucket{r=\"/\",le=\"0.25\"} 1\n");
    assert_rendered("fura_h_seconds_count{r=\"/\"} 1\n");
}

static void labels_too_long_are_dropped_and_counted(void **state)
{
    (void)state;
    assert_lua("return m.count('c_total', { v = ('x'):rep(1000) })", "");
    assert_rendered("fura_metrics_dropped_total 1\n");
}

static void wrong_calls_raise(void **state)
{
    (void)state;
    assert_lua("m.count('c_total', nil, -1)",
               "raised: t:1: bad argument #3 to 'count' (a counter only grows)");
    assert_lua("m.count('c_total', { le = '1' })",
               "raised: t:1: a label name has letters, digits and _, and is not 'le'");
    assert_lua("m.count('c_total', { ['a\"'] = '1' })",
               "raised: t:1: a label name has letters, digits and _, and is not 'le'");
    assert_lua("m.count('c_total', { v = {} })",
               "raised: t:1: label 'v' must be a string, not a table");
    assert_lua("m.gauge('g', 'high')",
               "raised: t:1: bad argument #2 to 'gauge' (number expected, got string)");
}

int main(void)
{
#define METRICS_TEST(test) cmocka_unit_test_setup_teardown(test, open_metrics, close_metrics)
    const struct CMUnitTest tests[] = {
        METRICS_TEST(one_set_of_labels_is_one_series),
        METRICS_TEST(label_values_are_escaped),
        METRICS_TEST(durations_become_histograms),
        METRICS_TEST(labels_too_long_are_dropped_and_counted),
        METRICS_TEST(wrong_calls_raise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
