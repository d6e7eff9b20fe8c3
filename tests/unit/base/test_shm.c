/* The shared key-value zone: values, expiry, eviction, and several processes of which some are
 * killed. */
#include "base/shm.h"
#include "unit.h"

#include "base/clock.h"

#include <signal.h>
#include <sys/wait.h>

static struct shm *shm;

static int open_zone(void **state)
{
    (void)state;
    shm = shm_create(256 * 1024);
    return 0;
}

static int close_zone(void **state)
{
    (void)state;
    shm_free(shm);
    return 0;
}

static struct shm_value text_value(struct slice text)
{
    return (struct shm_value){.kind = SHM_STRING, .text = text};
}

static enum result set_text(struct slice key, struct slice text)
{
    struct shm_value value = text_value(text);
    return shm_set(shm, key, &value, 0);
}

static bool holds_text(struct slice key, struct slice text)
{
    struct buf out = {0};
    struct shm_value value;
    bool same = shm_get(shm, key, &value, &out, NULL) == R_OK && value.kind == SHM_STRING &&
                slice_eq(value.text, text);
    buf_free(&out);
    return same;
}

static bool is_absent(struct slice key)
{
    struct buf out = {0};
    struct shm_value value;
    enum result rc = shm_get(shm, key, &value, &out, NULL);
    buf_free(&out);
    return rc == R_NOT_FOUND;
}

static void values_come_back_as_they_went_in(void **state)
{
    (void)state;
    char long_text[5000];
    for (size_t i = 0; i < sizeof long_text; i++)
        long_text[i] = (char)(i * 7);
    for (size_t len = 0; len < sizeof long_text; len += 61) {
        assert_int_equal(set_text(SLICE("k"), slice_of(long_text, len)), R_OK);
        assert_true(holds_text(SLICE("k"), slice_of(long_text, len)));
    }
    assert_int_equal(
        shm_set(shm, SLICE("n"), &(struct shm_value){.kind = SHM_NUMBER, .number = 0.5}, 0), R_OK);
    struct shm_value value;
    struct buf out = {0};
    int64_t ttl_ms = 0;
    assert_int_equal(shm_get(shm, SLICE("n"), &value, &out, &ttl_ms), R_OK);
    assert_int_equal(value.kind, SHM_NUMBER);
    assert_true(value.number == 0.5);
    assert_int_equal(ttl_ms, -1);
    shm_delete(shm, SLICE("n"));
    assert_true(is_absent(SLICE("n")));
    buf_free(&out);
}

static void a_value_expires(void **state)
{
    (void)state;
    struct shm_value value = text_value(SLICE("v"));
    assert_int_equal(shm_set(shm, SLICE("brief"), &value, 1), R_OK);
    int64_t start_ms = clock_monotonic_ms();
    while (clock_monotonic_ms() < start_ms + 2)
        ;
    assert_true(is_absent(SLICE("brief")));
    assert_int_equal(shm_set(shm, SLICE("long"), &value, 60000), R_OK);
    int64_t ttl_ms;
    struct buf out = {0};
    assert_int_equal(shm_get(shm, SLICE("long"), &value, &out, &ttl_ms), R_OK);
    assert_in_range(ttl_ms, 50000, 60000);
    buf_free(&out);
}

static void add_only_when_absent_and_swap_only_when_equal(void **state)
{
    (void)state;
    struct shm_value a = text_value(SLICE("a")), b = text_value(SLICE("b"));
    struct shm_value one = {.kind = SHM_NUMBER, .number = 1};
    assert_int_equal(shm_add(shm, SLICE("k"), &a, 0), R_OK);
    assert_int_equal(shm_add(shm, SLICE("k"), &b, 0), R_EXISTS);
    assert_int_equal(shm_compare_and_set(shm, SLICE("k"), NULL, &b, 0), R_REJECTED);
    assert_int_equal(shm_compare_and_set(shm, SLICE("k"), &b, &b, 0), R_REJECTED);
    assert_int_equal(shm_compare_and_set(shm, SLICE("k"), &one, &b, 0), R_REJECTED);
    assert_int_equal(shm_compare_and_set(shm, SLICE("k"), &a, &b, 0), R_OK);
    assert_true(holds_text(SLICE("k"), SLICE("b")));
    assert_int_equal(shm_compare_and_set(shm, SLICE("new"), NULL, &one, 0), R_OK);
}

static void a_counter_keeps_its_expiry_and_refuses_text(void **state)
{
    (void)state;
    double out;
    assert_int_equal(shm_increment(shm, SLICE("n"), 2, 60000, &out), R_OK);
    assert_int_equal(shm_increment(shm, SLICE("n"), -5, 0, &out), R_OK);
    assert_true(out == -3);
    int64_t ttl_ms;
    struct shm_value value;
    struct buf text = {0};
    assert_int_equal(shm_get(shm, SLICE("n"), &value, &text, &ttl_ms), R_OK);
    assert_in_range(ttl_ms, 1, 60000);
    set_text(SLICE("t"), SLICE("text"));
    assert_int_equal(shm_increment(shm, SLICE("t"), 1, 0, &out), R_INVALID);
    buf_free(&text);
}

static void the_least_recently_used_goes_first(void **state)
{
    (void)state;
    struct shm_stats stats;
    char key[32];
    set_text(SLICE("kept"), SLICE("hot"));
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof key, "key %d", i);
        assert_int_equal(set_text(slice_cstr(key), SLICE("some value")), R_OK);
        assert_true(holds_text(SLICE("kept"), SLICE("hot")));
    }
    assert_true(is_absent(SLICE("key 0")));
    assert_true(holds_text(SLICE("key 4999"), SLICE("some value")));
    shm_stats(shm, &stats);
    assert_int_equal(stats.evictions + stats.entries, 5001);
    assert_true(stats.bytes_used <= stats.bytes_total);
}

static void what_cannot_fit_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    size_t len = 1 << 20;
    char *big = mem_zalloc(len);
    set_text(SLICE("k"), SLICE("old"));
    assert_int_equal(set_text(SLICE("k"), slice_of(big, len)), R_TOO_BIG);
    assert_true(holds_text(SLICE("k"), SLICE("old")));
    /* Nearly the whole shard does fit: everything else goes. */
    assert_int_equal(set_text(SLICE("k"), slice_of(big, 200 * 1024)), R_OK);
    assert_true(holds_text(SLICE("k"), slice_of(big, 200 * 1024)));
    free(big);
}

static void wait_for_all(int children)
{
    for (int i = 0; i < children; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
}

static void increments_of_four_processes_add_up(void **state)
{
    (void)state;
    enum { CHILDREN = 4, TIMES = 20000 };
    double out;
    for (int child = 0; child < CHILDREN; child++)
        if (fork() == 0) {
            for (int i = 0; i < TIMES; i++)
                shm_increment(shm, SLICE("sum"), 1, 0, &out);
            _exit(0);
        }
    wait_for_all(CHILDREN);
    assert_int_equal(shm_increment(shm, SLICE("sum"), 0, 0, &out), R_OK);
    assert_true(out == CHILDREN * TIMES);
}

static void of_four_racing_swaps_one_wins_each_round(void **state)
{
    (void)state;
    enum { CHILDREN = 4, ROUNDS = 2000 };
    double wins;
    for (int child = 0; child < CHILDREN; child++)
        if (fork() == 0) {
            for (int i = 0; i < ROUNDS; i++) {
                struct shm_value old = {.kind = SHM_NUMBER, .number = i - 1};
                struct shm_value new = {.kind = SHM_NUMBER, .number = i};
                if (shm_compare_and_set(shm, SLICE("round"), i ? &old : NULL, &new, 0) == R_OK)
                    shm_increment(shm, SLICE("wins"), 1, 0, &wins);
            }
            _exit(0);
        }
    wait_for_all(CHILDREN);
    /* A slow child's early rounds are simply lost to it, but no round is ever won twice. */
    struct shm_value last;
    struct buf text = {0};
    assert_int_equal(shm_get(shm, SLICE("round"), &last, &text, NULL), R_OK);
    assert_int_equal(shm_increment(shm, SLICE("wins"), 0, 0, &wins), R_OK);
    assert_true(wins == last.number + 1);
    buf_free(&text);
}

/* Each value is one repeated letter, so a torn one shows. */
static void write_until_killed(void)
{
    char value[3000], key[16];
    for (unsigned i = 0;; i++) {
        memset(value, 'a' + (int)(i % 26), sizeof value);
        snprintf(key, sizeof key, "key %u", i % 50);
        set_text(slice_cstr(key), slice_of(value, 1 + i * 37 % sizeof value));
    }
}

static void assert_nothing_torn(void)
{
    char key[16];
    for (unsigned i = 0; i < 50; i++) {
        struct buf text = {0};
        struct shm_value value;
        snprintf(key, sizeof key, "key %u", i);
        if (shm_get(shm, slice_cstr(key), &value, &text, NULL) == R_OK)
            for (size_t at = 0; at < value.text.len; at++)
                assert_int_equal(value.text.data[at], value.text.data[0]);
        buf_free(&text);
    }
}

static void killed_writers_never_block_or_corrupt(void **state)
{
    (void)state;
    enum { ROUNDS_MIN = 200, ROUNDS_MAX = 20000 };
    struct shm_stats stats = {0};
    /* Until a kill has hit a writer inside a lock: else nothing was shown. */
    for (unsigned round = 0; round < ROUNDS_MAX && (round < ROUNDS_MIN || !stats.orphaned_shards);
         round++) {
        pid_t child = fork();
        if (child == 0)
            write_until_killed();
        int64_t kill_ms = clock_monotonic_ms() + 2;
        while (clock_monotonic_ms() < kill_ms)
            assert_nothing_torn();
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        assert_nothing_torn();
        assert_int_equal(set_text(SLICE("alive"), SLICE("yes")), R_OK);
        assert_true(holds_text(SLICE("alive"), SLICE("yes")));
        shm_stats(shm, &stats);
    }
    assert_true(stats.orphaned_shards > 0);
}

int main(void)
{
#define ZONE_TEST(test) cmocka_unit_test_setup_teardown(test, open_zone, close_zone)
    const struct CMUnitTest tests[] = {
        ZONE_TEST(values_come_back_as_they_went_in),
        ZONE_TEST(a_value_expires),
        ZONE_TEST(add_only_when_absent_and_swap_only_when_equal),
        ZONE_TEST(a_counter_keeps_its_expiry_and_refuses_text),
        ZONE_TEST(the_least_recently_used_goes_first),
        ZONE_TEST(what_cannot_fit_is_refused_and_changes_nothing),
        ZONE_TEST(increments_of_four_processes_add_up),
        ZONE_TEST(of_four_racing_swaps_one_wins_each_round),
        ZONE_TEST(killed_writers_never_block_or_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
