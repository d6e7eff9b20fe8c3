/* The shared connection against a real Redis: order, deadlines, losses, bounds. */
#include <stddef.h>
#include <sys/socket.h>

static unsigned sends;

static ssize_t counting_send(int fd, const void *data, size_t len, int flags)
{
    sends++;
    return send(fd, data, len, flags);
}

#define send counting_send
#include "net/redis_socket.c"
#undef send

#include "support/redis_probe.h"
#include "support/redis_server.h"

#include <signal.h>

static struct redis_server server;

static int start_server(void **state)
{
    (void)state;
    redis_server_init(&server);
    redis_server_use_tcp(&server, "--port");
    redis_server_start(&server);
    return 0;
}

static int end_server(void **state)
{
    (void)state;
    redis_server_end(&server);
    return 0;
}

static int begin(void **state)
{
    probe_begin();
    struct redis *redis = probe_open("unix://%s", server.socket);
    probe_await_state(redis, true);
    assert_int_equal(probe_ask(redis, "FLUSHALL", NULL).rc, R_OK);
    *state = redis;
    return 0;
}

static int end(void **state)
{
    redis_close(*state);
    probe_end();
    return 0;
}

/* ---- order and writes ---- */

struct march {
    unsigned expected, out_of_step, all_in, total;
};

static void on_number(void *owner, enum result rc, const struct redisReply *reply)
{
    struct march *march = owner;
    march->expected++;
    if (rc != R_OK || reply->integer != march->expected)
        march->out_of_step++;
    march->all_in = march->expected == march->total;
    if (march->all_in)
        probe_wake();
}

static void ten_thousand_commands_come_back_in_order(void **state)
{
    struct march march = {.total = 10000};
    const struct slice argv[] = {SLICE("INCR"), SLICE("n")};
    for (unsigned i = 0; i < march.total; i++)
        assert_int_equal(redis_send(*state, 2, argv, 5000, on_number, &march), R_OK);
    assert_int_equal(march.expected, 0);
    probe_until(&march.all_in);
    assert_int_equal(march.out_of_step, 0);
}

static void commands_of_one_turn_leave_in_one_write(void **state)
{
    struct march march = {.total = 100};
    const struct slice argv[] = {SLICE("INCR"), SLICE("n")};
    sends = 0;
    for (unsigned i = 0; i < march.total; i++)
        redis_send(*state, 2, argv, 5000, on_number, &march);
    assert_int_equal(sends, 0);
    probe_until(&march.all_in);
    assert_int_equal(sends, 1);
}

static void on_number_send_more(void *owner, enum result rc, const struct redisReply *reply)
{
    struct march *march = owner;
    const struct slice argv[] = {SLICE("INCR"), SLICE("n")};
    if (march->expected < 50)
        redis_send(*(struct redis **)(march + 1), 2, argv, 5000, on_number, march);
    on_number(march, rc, reply);
}

static void replies_may_send_further_commands(void **state)
{
    struct {
        struct march march;
        struct redis *redis;
    } both = {{.total = 100}, *state};
    const struct slice argv[] = {SLICE("INCR"), SLICE("n")};
    sends = 0;
    for (unsigned i = 0; i < 50; i++)
        redis_send(*state, 2, argv, 5000, on_number_send_more, &both);
    probe_until(&both.march.all_in);
    assert_int_equal(both.march.out_of_step, 0);
    assert_in_range(sends, 2, 10);
}

static void bytes_of_any_kind_survive(void **state)
{
    struct probe probe = {0};
    const struct slice set[] = {SLICE("SET"), SLICE("k\0\r\n"), SLICE("a\0b\r\n$5\r\n\xff")};
    const struct slice get[] = {SLICE("GET"), SLICE("k\0\r\n")};
    redis_send(*state, 3, set, 5000, probe_take, &probe);
    redis_send(*state, 2, get, 5000, probe_take, &probe);
    probe_until_count(&probe.answers, 2);
    assert_int_equal(probe.len, set[2].len);
    assert_memory_equal(probe.text, set[2].data, set[2].len);
}

static void large_values_go_both_ways(void **state)
{
    struct redis *redis = *state;
    size_t len = 8 * 1024 * 1024;
    char *value = test_malloc(len);
    memset(value, 'v', len);
    struct probe probe = {0};
    const struct slice set[] = {SLICE("SET"), SLICE("big"), {value, len}};
    redis_send(redis, 3, set, 5000, probe_take, &probe);
    test_free(value); /* the driver must have its own copy */
    probe_until(&probe.answers);
    assert_int_equal(probe.rc, R_OK);
    assert_int_equal(probe_ask(redis, "GET", "big", NULL).len, len);
}

static void an_error_reply_is_an_answer(void **state)
{
    struct probe probe = probe_ask(*state, "HGET", "too", "many", "words", NULL);
    assert_int_equal(probe.rc, R_OK);
    assert_int_equal(probe.type, REDIS_REPLY_ERROR);
    assert_true(redis_is_up(*state));
}

/* ---- deadlines ---- */

static void a_late_reply_does_not_upset_the_next_ones(void **state)
{
    struct redis *redis = *state;
    struct probe slow = {0}, next = {0};
    probe_ask(redis, "SET", "k", "mine", NULL);
    probe_send(redis, &slow, 50, "DEBUG", "SLEEP", "0.3", NULL);
    probe_send(redis, &next, 5000, "GET", "k", NULL);
    probe_until(&slow.answers);
    assert_int_equal(slow.rc, R_TIMEOUT);
    assert_int_equal(next.answers, 0);
    probe_until(&next.answers);
    assert_int_equal(next.rc, R_OK);
    assert_string_equal(next.text, "mine");
    assert_int_equal(slow.answers, 1);
    assert_string_equal(probe_ask(redis, "ECHO", "in step", NULL).text, "in step");
}

static void a_server_that_falls_silent_is_given_up(void **state)
{
    struct redis *redis = *state;
    struct probe probe = {0};
    kill(server.pid, SIGSTOP);
    probe_send(redis, &probe, 50, "PING", NULL);
    probe_until(&probe.answers);
    assert_int_equal(probe.rc, R_TIMEOUT);
    assert_true(redis_is_up(redis));
    probe_await_state(redis, false);
    assert_int_equal(probe_ask(redis, "PING", NULL).rc, R_UNAVAILABLE);
    kill(server.pid, SIGCONT);
    probe_await_state(redis, true);
    assert_int_equal(probe_ask(redis, "PING", NULL).rc, R_OK);
}

/* ---- losses ---- */

static void a_killed_server_comes_back_by_itself(void **state)
{
    struct redis *redis = *state;
    struct probe probe = {0};
    assert_int_equal(probe_send(redis, &probe, 5000, "DEBUG", "SLEEP", "5", NULL), R_OK);
    redis_server_kill(&server);
    probe_until(&probe.answers);
    assert_int_equal(probe.rc, R_CLOSED);
    assert_false(redis_is_up(redis));
    assert_int_equal(probe_ask(redis, "PING", NULL).rc, R_UNAVAILABLE);

    redis_server_start(&server);
    probe_await_state(redis, true);
    assert_string_equal(probe_ask(redis, "PING", NULL).text, "PONG");
}

static void commands_wait_for_the_first_connection(void **state)
{
    (void)state;
    struct redis *redis = probe_open("unix://%s", server.socket);
    assert_false(redis_is_up(redis));
    assert_string_equal(probe_ask(redis, "ECHO", "early", NULL).text, "early");
    redis_close(redis);
}

static void commands_that_waited_in_vain_are_told_so(void **state)
{
    (void)state;
    struct redis *redis = probe_open("unix://%s.nobody", server.socket);
    struct probe probe = {0};
    assert_int_equal(probe_send(redis, &probe, 5000, "PING", NULL), R_OK);
    assert_int_equal(probe.answers, 0);
    probe_until(&probe.answers);
    assert_int_equal(probe.rc, R_UNAVAILABLE);
    assert_int_equal(probe_ask(redis, "PING", NULL).rc, R_UNAVAILABLE);
    redis_close(redis);
}

static void closing_fails_what_is_in_flight(void **state)
{
    (void)state;
    struct redis *redis = probe_open("unix://%s", server.socket);
    struct probe early = {0}, late = {0};
    probe_send(redis, &early, 5000, "PING", NULL);
    redis_close(redis);
    assert_int_equal(early.answers, 1);
    assert_int_equal(early.rc, R_CLOSED);

    redis = probe_open("unix://%s", server.socket);
    probe_await_state(redis, true);
    probe_send(redis, &late, 5000, "PING", NULL);
    redis_close(redis);
    assert_int_equal(late.answers, 1);
    assert_int_equal(late.rc, R_CLOSED);
}

static void on_reply_close(void *owner, enum result rc, const struct redisReply *reply)
{
    (void)rc, (void)reply;
    redis_close(*(struct redis **)owner);
    *(struct redis **)owner = NULL;
    probe_wake();
}

static void a_reply_may_close_the_driver(void **state)
{
    (void)state;
    struct redis *redis = probe_open("unix://%s", server.socket);
    struct probe behind = {0};
    const struct slice argv[] = {SLICE("PING")};
    redis_send(redis, 1, argv, 5000, on_reply_close, &redis);
    probe_send(redis, &behind, 5000, "PING", NULL);
    probe_until(&behind.answers);
    assert_null(redis);
    assert_int_equal(behind.rc, R_CLOSED);
}

/* ---- bounds ---- */

static void more_than_allowed_in_flight_is_refused(void **state)
{
    (void)state;
    char url[128];
    snprintf(url, sizeof url, "unix://%s", server.socket);
    struct redis *redis = probe_open_with(
        &(struct redis_options){.url = url, .connect_timeout_ms = 2000, .max_in_flight = 10});
    struct probe probe = {0}, refused = {0};
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(probe_send(redis, &probe, 5000, "PING", NULL), R_OK);
    assert_int_equal(probe_send(redis, &refused, 5000, "PING", NULL), R_OVERLOADED);
    probe_until_count(&probe.answers, 10);
    assert_int_equal(refused.answers, 0);
    assert_int_equal(probe_ask(redis, "PING", NULL).rc, R_OK);
    redis_close(redis);
}

static void a_reply_without_bounds_is_cut_off(void **state)
{
    struct redis *redis = *state;
    probe_ask(redis, "SETRANGE", "huge", "73400320", "x", NULL); /* 70 MiB */
    assert_int_equal(probe_ask(redis, "GET", "huge", NULL).rc, R_TOO_BIG);
    probe_await_state(redis, true);
    assert_int_equal(probe_ask(redis, "PING", NULL).rc, R_OK);
}

static void no_arguments_are_a_wrong_call(void **state)
{
    struct probe probe;
    assert_int_equal(redis_send(*state, 0, NULL, 100, probe_take, &probe), R_INVALID);
}

/* ---- addresses, rights ---- */

static void tcp_by_address_and_by_name(void **state)
{
    (void)state;
    const char *hosts[] = {"127.0.0.1", "localhost", "[::1]"};
    for (unsigned i = 0; i < 3; i++) {
        struct redis *redis = probe_open("redis://%s:%u", hosts[i], server.port);
        assert_string_equal(probe_ask(redis, "PING", NULL).text, "PONG");
        redis_close(redis);
    }
}

static void the_database_of_the_url_is_selected(void **state)
{
    struct redis *three = probe_open("unix://%s?db=3", server.socket);
    probe_ask(three, "SET", "where", "three", NULL);
    assert_string_equal(probe_ask(three, "GET", "where", NULL).text, "three");
    assert_int_equal(probe_ask(*state, "GET", "where", NULL).type, REDIS_REPLY_NIL);
    redis_close(three);

    struct redis *none = probe_open("unix://%s?db=99", server.socket);
    assert_int_equal(probe_ask(none, "SET", "where", "nowhere", NULL).rc, R_UNAVAILABLE);
    redis_close(none);
}

static void a_wrong_password_is_denied_until_it_is_right(void **state)
{
    struct redis *admin = *state;
    probe_ask(admin, "CONFIG", "SET", "requirepass", "secret/1", NULL);
    struct redis *wrong = probe_open("redis://:guess@127.0.0.1:%u", server.port);
    struct redis *none = probe_open("redis://127.0.0.1:%u", server.port);
    struct redis *right = probe_open("redis://default:secret%%2F1@127.0.0.1:%u", server.port);
    assert_int_equal(probe_ask(wrong, "PING", NULL).rc, R_DENIED);
    assert_int_equal(probe_ask(wrong, "PING", NULL).rc, R_DENIED);
    assert_int_equal(probe_ask(none, "PING", NULL).rc, R_DENIED);
    assert_string_equal(probe_ask(right, "PING", NULL).text, "PONG");
    probe_ask(right, "CONFIG", "SET", "requirepass", "guess", NULL);
    probe_await_state(wrong, true);
    assert_string_equal(probe_ask(wrong, "PING", NULL).text, "PONG");
    probe_ask(wrong, "CONFIG", "SET", "requirepass", "", NULL);
    probe_await_state(none, true);
    redis_close(wrong);
    redis_close(none);
    redis_close(right);
}

static void on_state(void *owner, bool up)
{
    unsigned *seen = owner;
    seen[up]++;
    probe_wake();
}

static void watchers_learn_of_each_change(void **state)
{
    struct redis *redis = *state;
    unsigned seen[2] = {0, 0};
    redis_on_state(redis, on_state, seen);
    assert_int_equal(seen[true], 0);
    probe_until(&seen[true]);
    redis_server_kill(&server);
    probe_until(&seen[false]);
    seen[true] = 0;
    redis_server_start(&server);
    probe_until(&seen[true]);
    assert_int_equal(seen[true], 1);
    assert_int_equal(seen[false], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ten_thousand_commands_come_back_in_order),
        TEST(commands_of_one_turn_leave_in_one_write),
        TEST(replies_may_send_further_commands),
        TEST(bytes_of_any_kind_survive),
        TEST(large_values_go_both_ways),
        TEST(an_error_reply_is_an_answer),
        TEST(a_late_reply_does_not_upset_the_next_ones),
        TEST(a_server_that_falls_silent_is_given_up),
        TEST(a_killed_server_comes_back_by_itself),
        TEST(commands_wait_for_the_first_connection),
        TEST(commands_that_waited_in_vain_are_told_so),
        TEST(closing_fails_what_is_in_flight),
        TEST(a_reply_may_close_the_driver),
        TEST(more_than_allowed_in_flight_is_refused),
        TEST(a_reply_without_bounds_is_cut_off),
        TEST(no_arguments_are_a_wrong_call),
        TEST(tcp_by_address_and_by_name),
        TEST(the_database_of_the_url_is_selected),
        TEST(a_wrong_password_is_denied_until_it_is_right),
        TEST(watchers_learn_of_each_change),
    };
    return cmocka_run_group_tests(tests, start_server, end_server);
}
