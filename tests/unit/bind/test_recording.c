/* The recording for `fura replay`: bounded, spread, and without secrets. */
#include "bind/recording.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static int64_t now_ms(void)
{
    return (int64_t)time(NULL) * 1000;
}

/* A request of a driver for a list, as old as `age_ms`. */
static struct recorded_request request_of(const char *driver, const char *query, int64_t age_ms)
{
    return (struct recorded_request){.method = SLICE("GET"),
                                     .route = SLICE("/cargos"),
                                     .path = SLICE("/cargos"),
                                     .query = slice_cstr(query),
                                     .driver = slice_cstr(driver),
                                     .status = 200,
                                     .at_ms = now_ms() - age_ms};
}

static const char *described(const struct recording *recording, struct buf *out)
{
    buf_clear(out);
    recording_describe(recording, 1 << 20, out);
    return buf_cstr(out);
}

static unsigned occurrences(const char *text, const char *part)
{
    unsigned count = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        count++;
    return count;
}

static void it_keeps_no_more_than_it_may(void **state)
{
    (void)state;
    struct recording *recording = recording_new(20);
    char query[32];

    for (int i = 0; i < 1000; i++) {
        snprintf(query, sizeof query, "page=%d", i);
        struct recorded_request request = request_of("7", query, 1000 - i);
        recording_add(recording, &request);
    }
    assert_int_equal(recording_count(recording), 20);
    struct buf out = {0};
    assert_non_null(strstr(described(recording, &out), "page=999"));
    assert_null(strstr(out.data, "page=979\""));
    buf_free(&out);
    recording_free(recording);
}

static void it_keeps_a_repeated_request_once_and_counts_it(void **state)
{
    (void)state;
    struct recording *recording = recording_new(20);
    struct recorded_request request = request_of("7", "page=1", 0);
    struct buf out = {0};

    for (int i = 0; i < 100; i++)
        recording_add(recording, &request);
    assert_int_equal(recording_count(recording), 1);
    assert_non_null(strstr(described(recording, &out), "\"times\":100"));
    buf_free(&out);
    recording_free(recording);
}

static void what_is_rare_stays_beside_what_is_asked_all_the_time(void **state)
{
    (void)state;
    struct recording *recording = recording_new(10);
    struct recorded_request rare = request_of("8", "", 5000),
                            other_driver = request_of("9", "", 4000);
    struct buf out = {0};
    char query[32];

    rare.route = rare.path = SLICE("/paywall");
    recording_add(recording, &rare);
    recording_add(recording, &other_driver);
    for (int i = 0; i < 500; i++) {
        snprintf(query, sizeof query, "page=%d", i);
        struct recorded_request request = request_of("7", query, 500 - i);
        recording_add(recording, &request);
    }
    described(recording, &out);
    assert_int_equal(occurrences(out.data, "\"/paywall\",\"path\""), 1);
    assert_int_equal(occurrences(out.data, "\"driver\":\"9\""), 1);
    assert_int_equal(occurrences(out.data, "\"driver\":\"7\""), 8);
    buf_free(&out);
    recording_free(recording);
}

static void of_a_flood_one_a_millisecond_is_kept(void **state)
{
    (void)state;
    struct recording *recording = recording_new(10);
    struct buf out = {0};
    char query[32];
    int64_t at_ms = now_ms();

    for (int i = 0; i < 500; i++) {
        snprintf(query, sizeof query, "page=%d", i);
        struct recorded_request request = request_of("7", query, 0);
        request.at_ms = at_ms + i / 100;
        recording_add(recording, &request);
    }
    described(recording, &out);
    assert_non_null(strstr(out.data, "page=400"));
    assert_null(strstr(out.data, "page=499"));
    struct recorded_request rare = request_of("8", "", 0);
    rare.at_ms = at_ms + 4;
    recording_add(recording, &rare);
    assert_int_equal(occurrences(described(recording, &out), "\"driver\":\"8\""), 1);
    buf_free(&out);
    recording_free(recording);
}

static void secret_parameters_leave_no_value(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "token=SESAME&limit=5",
        "limit=5&access_token=SESAME",
        "Phone=SESAME",
        "e%6Dail=SESAME",
        "%74oken=SESAME",
        "init_data=a%3DSESAME&limit=5",
        "key=SESAME",
        "api_key=SESAME",
        "%zz=SESAME",
        "own=SESAME",
        "tgWebAppData=SESAME",
        "hash=SESAME",
        "token=SESAME&token=SESAME",
    };
    static const char *const hides[] = {"own", NULL};
    struct buf out = {0};

    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        struct recording *recording = recording_new(5);
        struct recorded_request request = request_of("7", queries[i], 0);
        request.hides = hides;
        recording_add(recording, &request);
        described(recording, &out);
        assert_null(strstr(out.data, "SESAME"));
        assert_non_null(strstr(out.data, "\"hidden\":true"));
        recording_free(recording);
    }
    buf_free(&out);
}

static void harmless_parameters_stay_as_they_came(void **state)
{
    (void)state;
    struct recording *recording = recording_new(5);
    struct recorded_request request =
        request_of("7", "limit=5&cities=1%2C2&token=&flag&keyword=x", 0);
    struct buf out = {0};

    recording_add(recording, &request);
    assert_non_null(strstr(described(recording, &out),
                           "\"query\":\"limit=5&cities=1%2C2&token=&flag&keyword=x\""));
    assert_null(strstr(out.data, "hidden"));
    buf_free(&out);
    recording_free(recording);
}

static void a_path_with_a_secret_is_only_its_pattern(void **state)
{
    (void)state;
    struct recording *recording = recording_new(5);
    struct recorded_request request = request_of("", "", 0);
    struct buf out = {0};

    request.route = SLICE("/hooks/{n}/{key}");
    request.path = SLICE("/hooks/3/SESAME");
    recording_add(recording, &request);
    assert_null(strstr(described(recording, &out), "SESAME"));
    assert_non_null(strstr(out.data, "\"hidden\":true"));
    buf_free(&out);
    recording_free(recording);
}

static void of_a_body_only_kind_and_size_are_known(void **state)
{
    (void)state;
    struct recording *recording = recording_new(5);
    struct recorded_request request = request_of("7", "", 0);
    struct buf out = {0};

    request.method = SLICE("POST");
    request.body_type = SLICE("application/json");
    request.body_bytes = 57;
    recording_add(recording, &request);
    assert_non_null(
        strstr(described(recording, &out), "\"body_type\":\"application/json\",\"body_bytes\":57"));
    buf_free(&out);
    recording_free(recording);
}

static void nothing_is_told_after_a_day(void **state)
{
    (void)state;
    struct recording *recording = recording_new(5);
    struct recorded_request old = request_of("7", "old=1", 25 * 3600 * 1000),
                            young = request_of("7", "young=1", 0);
    struct buf out = {0};

    recording_add(recording, &old);
    recording_add(recording, &young);
    described(recording, &out);
    assert_null(strstr(out.data, "old=1"));
    assert_non_null(strstr(out.data, "young=1"));
    buf_free(&out);
    recording_free(recording);
}

static void a_list_that_grows_too_long_is_cut_at_its_oldest(void **state)
{
    (void)state;
    struct recording *recording = recording_new(100);
    struct buf out = {0};
    char query[32];

    for (int i = 0; i < 100; i++) {
        snprintf(query, sizeof query, "page=%d", i);
        struct recorded_request request = request_of("7", query, 1000 - i);
        recording_add(recording, &request);
    }
    recording_describe(recording, 2000, &out);
    assert_true(out.len < 2400);
    assert_non_null(strstr(buf_cstr(&out), "page=99"));
    assert_int_equal(out.data[out.len - 1], ']');
    buf_free(&out);
    recording_free(recording);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_keeps_no_more_than_it_may),
        cmocka_unit_test(it_keeps_a_repeated_request_once_and_counts_it),
        cmocka_unit_test(what_is_rare_stays_beside_what_is_asked_all_the_time),
        cmocka_unit_test(of_a_flood_one_a_millisecond_is_kept),
        cmocka_unit_test(secret_parameters_leave_no_value),
        cmocka_unit_test(harmless_parameters_stay_as_they_came),
        cmocka_unit_test(a_path_with_a_secret_is_only_its_pattern),
        cmocka_unit_test(of_a_body_only_kind_and_size_are_known),
        cmocka_unit_test(nothing_is_told_after_a_day),
        cmocka_unit_test(a_list_that_grows_too_long_is_cut_at_its_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
