/* Counting one side of a comparison. */
#include "base/tally.h"
#include "unit.h"

static void add_ms(struct tally *tally, double ms, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        tally_add(tally, (int64_t)(ms * 1e6), false);
}

static void requests_and_errors_are_counted_until_the_reset(void **state)
{
    (void)state;
    struct tally tally = {0};
    tally_add(&tally, 1000000, false);
    tally_add(&tally, 1000000, true);
    assert_int_equal(tally.requests, 2);
    assert_int_equal(tally.errors, 1);
    tally_reset(&tally);
    assert_int_equal(tally.requests, 0);
    assert_true(tally_p95_ms(&tally) == 0.0);
}

static void the_95th_of_100_decides(void **state)
{
    (void)state;
    struct tally tally = {0};
    add_ms(&tally, 10, 95);
    add_ms(&tally, 500, 5);
    assert_true(tally_p95_ms(&tally) >= 10 && tally_p95_ms(&tally) <= 12.5);
    add_ms(&tally, 500, 1);
    assert_true(tally_p95_ms(&tally) >= 500 && tally_p95_ms(&tally) <= 625);
}

static void a_time_is_shown_at_most_a_quarter_too_long(void **state)
{
    (void)state;
    for (double ms = 0.1; ms < 60000; ms *= 1.07) {
        struct tally tally = {0};
        add_ms(&tally, ms, 3);
        double shown = tally_p95_ms(&tally);
        assert_true(shown >= ms * 0.99 && shown <= ms * 1.25 + 0.001);
    }
}

static void times_out_of_bounds_are_kept_at_the_bounds(void **state)
{
    (void)state;
    struct tally tally = {0};
    tally_add(&tally, 0, false);
    tally_add(&tally, -5, false);
    assert_true(tally_p95_ms(&tally) < 0.01);
    for (unsigned i = 0; i < 100; i++)
        tally_add(&tally, INT64_MAX, false);
    assert_true(tally_p95_ms(&tally) > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_and_errors_are_counted_until_the_reset),
        cmocka_unit_test(the_95th_of_100_decides),
        cmocka_unit_test(a_time_is_shown_at_most_a_quarter_too_long),
        cmocka_unit_test(times_out_of_bounds_are_kept_at_the_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
