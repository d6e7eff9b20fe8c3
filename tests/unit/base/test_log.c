/* Log lines: their form, rotation, and storms of one message. The clock is ours, so that a minute
 * takes no time. */
#include "base/clock.h"
#include <stdint.h>

static int64_t fake_monotonic_ms = 1000000;
static int64_t fake_clock(void)
{
    return fake_monotonic_ms;
}
#define clock_monotonic_ms fake_clock
#include "base/log.c"
#undef clock_monotonic_ms

#include "base/file.h"
#include "unit.h"

#include <sys/wait.h>

static char *folder, *log_path;

static int open_log(void **state)
{
    (void)state;
    folder = unit_folder();
    log_path = unit_write(folder, "fura.log", "");
    log_open(log_path, LOG_INFO, "worker 1");
    return 0;
}

static int close_log(void **state)
{
    (void)state;
    log_open(NULL, LOG_INFO, "test");
    free(log_path);
    unit_remove_folder(folder);
    return 0;
}

static const char *written(struct buf *text)
{
    buf_clear(text);
    assert_int_equal(file_read(log_path, 1 << 20, text), R_OK);
    return buf_cstr(text);
}

static unsigned count(const char *text, const char *needle)
{
    unsigned found = 0;
    for (const char *at = text; (at = strstr(at, needle)); at++)
        found++;
    return found;
}

static void a_line_is_one_json_object(void **state)
{
    (void)state;
    struct buf text = {0};
    log_info("hello", LOG_STR("who", "a\"b\n\x01\xff\xD0\x96"), LOG_INT("n", -5),
             LOG_NUM("ms", 1.5), LOG_NUM("nan", NAN), LOG_RAW("list", SLICE("[1]")));
    const char *line = written(&text);
    assert_non_null(strstr(line,
                           "Z\",\"level\":\"info\",\"message\":\"hello\",\"process\":\"worker 1\","
                           "\"who\":\"a\\\"b\\n\\u0001\xEF\xBF\xBD\xD0\x96\",\"n\":-5,"
                           "\"ms\":1.5,\"nan\":null,\"list\":[1]}\n"));
    assert_memory_equal(line, "{\"time\":\"20", 11);
    buf_free(&text);
}

static void lines_below_the_level_are_left_out(void **state)
{
    (void)state;
    struct buf text = {0};
    log_debug("too quiet");
    assert_string_equal(written(&text), "");
    buf_free(&text);
}

static void a_storm_of_one_complaint_is_summed_up(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 324; i++)
        log_warn("redis is away", LOG_INT("try", i));
    log_warn("something else");
    assert_int_equal(count(written(&text), "redis is away"), 10);
    assert_int_equal(count(text.data, "something else"), 1);

    fake_monotonic_ms += 60 * 1000;
    log_info("any later line");
    assert_non_null(strstr(written(&text), "\"message\":\"redis is away\",\"process\":\"worker 1\","
                                           "\"repeated\":314,\"window_s\":60}"));
    log_warn("redis is away");
    assert_int_equal(count(written(&text), "redis is away"), 12);
    buf_free(&text);
}

static void a_slow_drip_and_records_always_pass(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 50; i++) {
        fake_monotonic_ms += 200;
        log_error("slow drip");
        log_info("request");
        log_info("request");
    }
    assert_int_equal(count(written(&text), "slow drip"), 50);
    assert_int_equal(count(text.data, "\"request\""), 100);
    buf_free(&text);
}

static void more_messages_than_slots_lose_no_count(void **state)
{
    (void)state;
    struct buf text = {0};
    for (int i = 0; i < 20; i++)
        log_warn("first");
    for (int i = 0; i < STORMS_MAX; i++) {
        char message[32];
        snprintf(message, sizeof message, "message %d", i);
        fake_monotonic_ms++;
        log_warn(message);
    }
    assert_int_equal(count(written(&text), "\"repeated\":10"), 1);
    buf_free(&text);
}

static void after_rotation_lines_go_to_the_new_file(void **state)
{
    (void)state;
    struct buf text = {0}, moved = {0};
    buf_printf(&moved, "%s.1", log_path);
    assert_int_equal(rename(log_path, buf_cstr(&moved)), 0);
    log_info("into the old file");
    log_reopen();
    log_info("into the new file");
    assert_int_equal(count(written(&text), "old file"), 0);
    assert_int_equal(count(text.data, "new file"), 1);
    buf_free(&text);
    buf_free(&moved);
}

static void lines_of_several_processes_never_mix(void **state)
{
    (void)state;
    enum { CHILDREN = 4, LINES = 200 };
    struct buf text = {0};
    char filler[600];
    memset(filler, 'x', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    for (int child = 0; child < CHILDREN; child++) {
        if (fork() != 0)
            continue;
        for (int i = 0; i < LINES; i++)
            log_info("many", LOG_STR("filler", filler));
        _exit(0);
    }
    for (int child = 0; child < CHILDREN; child++)
        wait(NULL);
    assert_int_equal(count(written(&text), "\"}\n"), CHILDREN * LINES);
    assert_int_equal(count(text.data, "{\"time\""), CHILDREN * LINES);
    assert_int_equal(count(text.data, "}\n{\"time\""), CHILDREN * LINES - 1);
    buf_free(&text);
}

int main(void)
{
#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, open_log, close_log)
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_line_is_one_json_object),
        LOG_TEST(lines_below_the_level_are_left_out),
        LOG_TEST(a_storm_of_one_complaint_is_summed_up),
        LOG_TEST(a_slow_drip_and_records_always_pass),
        LOG_TEST(more_messages_than_slots_lose_no_count),
        LOG_TEST(after_rotation_lines_go_to_the_new_file),
        LOG_TEST(lines_of_several_processes_never_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
