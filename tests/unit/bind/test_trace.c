/* Trace context: what is continued, and how. */
#include "bind/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define GOOD "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static bool valid(const char *text)
{
    return trace_is_valid(slice_of(text, strlen(text)));
}

static void it_takes_what_the_standard_says(void **state)
{
    (void)state;
    assert_true(valid(GOOD));
    assert_true(valid("00-0000000000000000000000000000000a-000000000000000b-00"));
}

static void it_refuses_all_else(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "00",
        GOOD "-extra",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\n",
        "00-4bf92f3577b34da6a3ce929d0e0e4736+00f067aa0ba902b7-01",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(valid(bad[i]));
    assert_false(trace_is_valid((struct slice){0}));
}

static void it_keeps_the_trace_and_names_each_call(void **state)
{
    (void)state;
    char one[TRACE_CHARS + 1], two[TRACE_CHARS + 1];
    trace_continue(GOOD, one);
    trace_continue(GOOD, two);
    assert_true(valid(one));
    assert_memory_equal(one, GOOD, 36);
    assert_string_equal(one + 52, "-01");
    assert_string_not_equal(one, GOOD);
    assert_string_not_equal(one, two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_takes_what_the_standard_says),
        cmocka_unit_test(it_refuses_all_else),
        cmocka_unit_test(it_keeps_the_trace_and_names_each_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
