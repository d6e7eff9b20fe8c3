/* Which part of an audience a share takes. */
#include "base/share.h"
#include "unit.h"

static struct share *parse(const char *text, const char *salt)
{
    struct share *share = NULL;
    struct failure why = {0};
    assert_int_equal(share_parse(slice_cstr(text), slice_cstr(salt), &share, &why), R_OK);
    return share;
}

static unsigned count_taken(const char *text, const char *salt)
{
    struct share *share = parse(text, salt);
    unsigned taken = 0;
    for (unsigned i = 0; i < 100000; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", 1000000 + i);
        taken += share_takes(share, slice_cstr(name), SLICE("10.0.0.1"));
    }
    share_free(share);
    return taken;
}

static void a_percentage_takes_about_that_many(void **state)
{
    (void)state;
    assert_in_range(count_taken("10%", "a"), 9700, 10300);
    assert_in_range(count_taken("0.5%", "a"), 430, 570);
    assert_in_range(count_taken("33.33%", "b"), 32800, 33900);
    assert_int_equal(count_taken("100%", "b"), 100000);
}

static void the_same_name_is_always_taken_alike_and_another_salt_takes_others(void **state)
{
    (void)state;
    struct share *one = parse("50%", "first"), *again = parse("50%", "first"),
                 *other = parse("50%", "second");
    unsigned differing = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        bool taken = share_takes(one, slice_cstr(name), SLICE("10.0.0.1"));
        assert_int_equal(share_takes(again, slice_cstr(name), SLICE("192.168.0.1")), taken);
        differing += share_takes(other, slice_cstr(name), SLICE("10.0.0.1")) != taken;
    }
    assert_in_range(differing, 400, 600);
    share_free(one);
    share_free(again);
    share_free(other);
}

static void more_percent_keep_those_who_were_taken_before(void **state)
{
    (void)state;
    struct share *few = parse("10%", "x"), *many = parse("40%", "x");
    for (unsigned i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        if (share_takes(few, slice_cstr(name), SLICE("")))
            assert_true(share_takes(many, slice_cstr(name), SLICE("")));
    }
    share_free(few);
    share_free(many);
}

static void names_take_just_those(void **state)
{
    (void)state;
    struct share *share = parse("drivers:7,81", "x");
    assert_true(share_takes(share, SLICE("7"), SLICE("10.0.0.1")));
    assert_true(share_takes(share, SLICE("81"), SLICE("10.0.0.1")));
    assert_false(share_takes(share, SLICE("8"), SLICE("10.0.0.1")));
    assert_false(share_takes(share, SLICE("7,81"), SLICE("10.0.0.1")));
    assert_false(share_takes(share, (struct slice){0}, SLICE("7")));
    share_free(share);
}

static void who_is_unknown_goes_by_address(void **state)
{
    (void)state;
    struct share *share = parse("50%", "x");
    struct slice nobody = {0};
    unsigned taken = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char address[16];
        snprintf(address, sizeof address, "10.0.%u.%u", i / 250, i % 250);
        bool is_taken = share_takes(share, nobody, slice_cstr(address));
        assert_int_equal(share_takes(share, nobody, slice_cstr(address)), is_taken);
        taken += is_taken;
    }
    assert_in_range(taken, 400, 600);
    share_free(share);
}

static void anything_else_is_refused_with_what_was_expected(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",    "%",   "0%", "100.01%",  "101%",         "10",         "ten%",  "1.234%", "1.%",
        "-1%", "7,8", ":7", "drivers:", "drivers:7,,8", "drivers:7,", "dr2:7", "drivers"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct share *share = NULL;
        struct failure why = {0};
        assert_int_equal(share_parse(slice_cstr(wrong[i]), SLICE(""), &share, &why), R_INVALID);
        assert_non_null(strstr(why.text, "like 10%"));
        assert_null(share);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_percentage_takes_about_that_many),
        cmocka_unit_test(the_same_name_is_always_taken_alike_and_another_salt_takes_others),
        cmocka_unit_test(more_percent_keep_those_who_were_taken_before),
        cmocka_unit_test(names_take_just_those),
        cmocka_unit_test(who_is_unknown_goes_by_address),
        cmocka_unit_test(anything_else_is_refused_with_what_was_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
