/* Metrics shared by processes, and their Prometheus text. */
#include "base/metrics.h"
#include "unit.h"

#include <sys/wait.h>

static struct metrics *metrics;

static int open_metrics(void **state)
{
    (void)state;
    metrics = metrics_create(8);
    return 0;
}

static int close_metrics(void **state)
{
    (void)state;
    metrics_free(metrics);
    return 0;
}

static void the_text_is_sorted_and_typed(void **state)
{
    (void)state;
    struct buf out = {0};
    metric_add(metrics_find(metrics, METRIC_COUNTER, SLICE("b_total"), SLICE("x=\"2\"")), 3);
    metric_add(metrics_find(metrics, METRIC_COUNTER, SLICE("b_total"), SLICE("x=\"1\"")), 1);
    metric_add(metrics_find(metrics, METRIC_COUNTER, SLICE("b_total"), SLICE("x=\"2\"")), 1);
    metric_set(metrics_find(metrics, METRIC_GAUGE, SLICE("a"), SLICE("")), 0.25);
    metrics_describe(metrics, SLICE("a"), "First.");
    metrics_describe(metrics, SLICE("a"), "Second.");
    metrics_render(metrics, &out);
    static const char expected[] =
        "# HELP a First.\n# TYPE a gauge\na 0.25\n"
        "# TYPE b_total counter\nb_total{x=\"1\"} 1\nb_total{x=\"2\"} 4\n";
    assert_memory_equal(buf_cstr(&out), expected, sizeof expected - 1);
    buf_free(&out);
}

static void a_histogram_counts_upwards(void **state)
{
    (void)state;
    struct buf out = {0};
    struct metric *metric = metrics_find(metrics, METRIC_HISTOGRAM, SLICE("h"), SLICE("r=\"/\""));
    metric_observe(metric, 0.001);
    metric_observe(metric, 0.3);
    metric_observe(metric, 99);
    metrics_render(metrics, &out);
    const char *text = buf_cstr(&out);
    assert_non_null(strstr(text, "h_bucket{r=\"/\",le=\"0.001\"} 1\n"));
    assert_non_null(strstr(text, "h_bucket{r=\"/\",le=\"0.25\"} 1\n"));
    assert_non_null(strstr(text, "h_bucket{r=\"/\",le=\"0.5\"} 2\n"));
    assert_non_null(strstr(text, "h_bucket{r=\"/\",le=\"10\"} 2\n"));
    assert_non_null(strstr(text, "h_bucket{r=\"/\",le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(text, "h_sum{r=\"/\"} 99.301\nh_count{r=\"/\"} 3\n"));
    buf_free(&out);
}

static void what_does_not_fit_is_dropped_and_counted(void **state)
{
    (void)state;
    struct buf out = {0};
    char labels[32];
    for (int i = 0; i < 8; i++) {
        snprintf(labels, sizeof labels, "i=\"%d\"", i);
        assert_non_null(metrics_find(metrics, METRIC_COUNTER, SLICE("c"), slice_cstr(labels)));
    }
    assert_null(metrics_find(metrics, METRIC_COUNTER, SLICE("one_more"), SLICE("")));
    assert_null(metrics_find(metrics, METRIC_GAUGE, SLICE("c"), SLICE("i=\"1\"")));
    assert_null(metrics_find(metrics, METRIC_GAUGE, SLICE("no such name"), SLICE("")));
    metric_add(NULL, 1);
    metrics_render(metrics, &out);
    assert_non_null(strstr(buf_cstr(&out), "\nfura_metrics_dropped_total 3\n"));
    buf_free(&out);
}

static void one_name_has_one_kind(void **state)
{
    (void)state;
    assert_non_null(metrics_find(metrics, METRIC_COUNTER, SLICE("c"), SLICE("a=\"1\"")));
    assert_null(metrics_find(metrics, METRIC_GAUGE, SLICE("c"), SLICE("a=\"2\"")));
}

static void additions_of_four_processes_add_up(void **state)
{
    (void)state;
    enum { CHILDREN = 4, TIMES = 20000 };
    for (int child = 0; child < CHILDREN; child++)
        if (fork() == 0) {
            for (int i = 0; i < TIMES; i++) {
                metric_add(metrics_find(metrics, METRIC_COUNTER, SLICE("c"), SLICE("")), 1);
                metric_observe(metrics_find(metrics, METRIC_HISTOGRAM, SLICE("h"), SLICE("")), 1);
            }
            _exit(0);
        }
    for (int child = 0; child < CHILDREN; child++)
        wait(NULL);
    struct buf out = {0};
    metrics_render(metrics, &out);
    assert_non_null(strstr(buf_cstr(&out), "\nc 80000\n"));
    assert_non_null(strstr(out.data, "\nh_sum 80000\nh_count 80000\n"));
    buf_free(&out);
}

int main(void)
{
#define METRICS_TEST(test) cmocka_unit_test_setup_teardown(test, open_metrics, close_metrics)
    const struct CMUnitTest tests[] = {
        METRICS_TEST(the_text_is_sorted_and_typed),
        METRICS_TEST(a_histogram_counts_upwards),
        METRICS_TEST(what_does_not_fit_is_dropped_and_counted),
        METRICS_TEST(one_name_has_one_kind),
        METRICS_TEST(additions_of_four_processes_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
