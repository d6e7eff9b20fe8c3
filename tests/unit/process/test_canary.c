/* When a canary counts as worse than the live side. */
#include "canary.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct side side(uint64_t requests, uint64_t errors, double p95_ms)
{
    return (struct side){.requests = requests, .errors = errors, .p95_ms = p95_ms};
}

static enum judgement during(struct side own, struct side live)
{
    return judge(&own, &live, false);
}

static enum judgement at_end(struct side own, struct side live)
{
    return judge(&own, &live, true);
}

static void a_good_one_goes_on_until_its_end(void **state)
{
    (void)state;
    assert_int_equal(during(side(1000, 0, 10), side(9000, 0, 10)), GOES_ON);
    assert_int_equal(at_end(side(1000, 0, 10), side(9000, 0, 10)), GOOD);
}

static void errors_convict_as_soon_as_they_are_enough(void **state)
{
    (void)state;
    assert_int_equal(during(side(4, 4, 10), side(100, 0, 10)), GOES_ON);
    assert_int_equal(during(side(5, 5, 10), side(100, 0, 10)), FAILS);
    assert_int_equal(during(side(20, 2, 10), side(100, 0, 10)), FAILS);
    assert_int_equal(during(side(20, 1, 10), side(100, 0, 10)), GOES_ON);
}

static void what_fails_on_both_sides_is_nobodys_fault(void **state)
{
    (void)state;
    assert_int_equal(during(side(100, 50, 10), side(1000, 490, 10)), GOES_ON);
    assert_int_equal(at_end(side(100, 50, 10), side(1000, 490, 10)), GOOD);
    assert_int_equal(during(side(100, 60, 10), side(1000, 490, 10)), FAILS);
}

static void few_requests_are_judged_at_the_end(void **state)
{
    (void)state;
    assert_int_equal(during(side(3, 1, 10), side(100, 0, 10)), GOES_ON);
    assert_int_equal(at_end(side(3, 1, 10), side(100, 0, 10)), FAILS);
    assert_int_equal(at_end(side(3, 0, 10), side(100, 0, 10)), GOOD);
    assert_int_equal(at_end(side(1000, 1, 10), side(9000, 0, 10)), GOOD);
    assert_int_equal(at_end(side(0, 0, 0), side(100, 0, 10)), UNSEEN);
}

static void failures_of_rules_count_but_never_for_more_than_all_requests(void **state)
{
    (void)state;
    struct side own = {.requests = 4, .failures = 80, .p95_ms = 10}, live = side(100, 0, 10);
    assert_int_equal(judge(&own, &live, false), GOES_ON);
    own.requests = 5;
    assert_int_equal(judge(&own, &live, false), FAILS);
}

static void slower_means_by_half_and_by_20_ms(void **state)
{
    (void)state;
    assert_int_equal(during(side(50, 0, 60), side(50, 0, 35)), SLOW);
    assert_int_equal(during(side(50, 0, 28), side(50, 0, 9)), GOES_ON);
    assert_int_equal(during(side(50, 0, 140), side(50, 0, 100)), GOES_ON);
    assert_int_equal(during(side(49, 0, 900), side(50, 0, 10)), GOES_ON);
    assert_int_equal(during(side(50, 0, 900), side(49, 0, 10)), GOES_ON);
    assert_int_equal(at_end(side(20, 0, 900), side(20, 0, 10)), SLOW);
    assert_int_equal(at_end(side(19, 0, 900), side(20, 0, 10)), GOOD);
}

struct verdict {
    unsigned count;
    bool is_good;
    struct buf why;
};

static void on_verdict(void *owner, bool is_good, struct slice why)
{
    struct verdict *verdict = owner;
    verdict->count++;
    verdict->is_good = is_good;
    buf_append_slice(&verdict->why, why);
}

static void one_death_may_be_anybodys_a_second_or_a_crash_convicts(void **state)
{
    (void)state;
    struct loop *loop = loop_new();
    struct server_state *shared = state_create();
    struct verdict verdict = {0};
    struct canary_options options = {.loop = loop,
                                     .state = shared,
                                     .generation = 2,
                                     .hash = "ab",
                                     .plan = {mem_strdup("10%"), 1000},
                                     .on_verdict = on_verdict,
                                     .owner = &verdict};
    struct canary *canary = canary_new(&options);
    canary_take_trouble(canary, false, SLICE("killed"));
    assert_int_equal(verdict.count, 0);
    canary_take_trouble(canary, false, SLICE("killed again"));
    assert_int_equal(verdict.count, 1);
    assert_false(verdict.is_good);
    assert_string_equal(buf_cstr(&verdict.why), "a worker had trouble: killed again");
    canary_free(canary);

    verdict.count = 0;
    options.plan.share = mem_strdup("10%");
    canary = canary_new(&options);
    canary_take_trouble(canary, true, SLICE("crashed"));
    assert_int_equal(verdict.count, 1);
    canary_free(canary);
    assert_int_equal(shared->canary.generation, 0);
    buf_free(&verdict.why);
    state_free(shared);
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one_goes_on_until_its_end),
        cmocka_unit_test(errors_convict_as_soon_as_they_are_enough),
        cmocka_unit_test(what_fails_on_both_sides_is_nobodys_fault),
        cmocka_unit_test(few_requests_are_judged_at_the_end),
        cmocka_unit_test(failures_of_rules_count_but_never_for_more_than_all_requests),
        cmocka_unit_test(slower_means_by_half_and_by_20_ms),
        cmocka_unit_test(one_death_may_be_anybodys_a_second_or_a_crash_convicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
