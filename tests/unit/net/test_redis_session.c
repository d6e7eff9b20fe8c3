/* Connections of one's own: WATCH, MULTI, EXEC. */
#include "support/redis_probe.h"
#include "support/redis_server.h"

static struct redis_server server;

static int start_server(void **state)
{
    (void)state;
    redis_server_init(&server);
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
    probe_ask(redis, "FLUSHALL", NULL);
    *state = redis;
    return 0;
}

static int end(void **state)
{
    redis_close(*state);
    probe_end();
    return 0;
}

static void a_transaction_commits_what_nobody_touched(void **state)
{
    struct redis_session *session = redis_session_open(*state);
    probe_ask_session(session, "WATCH", "balance", NULL);
    probe_ask_session(session, "MULTI", NULL);
    assert_string_equal(probe_ask_session(session, "INCR", "balance", NULL).text, "QUEUED");
    struct probe outcome = probe_ask_session(session, "EXEC", NULL);
    assert_int_equal(outcome.type, REDIS_REPLY_ARRAY);
    assert_int_equal(outcome.elements, 1);
    redis_session_close(session);
    assert_string_equal(probe_ask(*state, "GET", "balance", NULL).text, "1");
}

static void a_conflict_aborts_the_transaction(void **state)
{
    struct redis_session *session = redis_session_open(*state);
    probe_ask_session(session, "WATCH", "balance", NULL);
    probe_ask(*state, "SET", "balance", "7", NULL); /* somebody else, meanwhile */
    probe_ask_session(session, "MULTI", NULL);
    probe_ask_session(session, "INCR", "balance", NULL);
    assert_int_equal(probe_ask_session(session, "EXEC", NULL).type, REDIS_REPLY_NIL);
    redis_session_close(session);
    assert_string_equal(probe_ask(*state, "GET", "balance", NULL).text, "7");
}

static void an_unfinished_transaction_leaves_nothing_behind(void **state)
{
    struct redis_session *session = redis_session_open(*state);
    probe_ask_session(session, "MULTI", NULL);
    probe_ask_session(session, "SET", "k", "half", NULL);
    redis_session_close(session);
    session = redis_session_open(*state);
    assert_int_equal(probe_ask_session(session, "GET", "k", NULL).type, REDIS_REPLY_NIL);
    redis_session_close(session);
}

static void a_blocking_command_holds_up_nobody_else(void **state)
{
    struct redis_session *session = redis_session_open(*state);
    struct probe popped = {0};
    const struct slice argv[] = {SLICE("BLPOP"), SLICE("queue"), SLICE("0")};
    redis_session_send(session, 3, argv, 10000, probe_take, &popped);
    assert_int_equal(probe_ask(*state, "RPUSH", "queue", "job", NULL).rc, R_OK);
    probe_until(&popped.answers);
    assert_int_equal(popped.elements, 2);
    redis_session_close(session);
}

static void closing_a_session_fails_its_commands(void **state)
{
    struct redis_session *session = redis_session_open(*state);
    struct probe probe = {0};
    const struct slice argv[] = {SLICE("PING")};
    redis_session_send(session, 1, argv, 5000, probe_take, &probe);
    redis_session_close(session);
    assert_int_equal(probe.answers, 1);
    assert_int_equal(probe.rc, R_CLOSED);
}

static void a_session_does_not_survive_its_connection(void **state)
{
    struct redis_session *session = redis_session_open(*state);
    assert_int_equal(probe_ask_session(session, "WATCH", "k", NULL).rc, R_OK);
    probe_ask(*state, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes", NULL);
    assert_int_equal(probe_ask_session(session, "MULTI", NULL).rc, R_CLOSED);
    assert_int_equal(probe_ask_session(session, "MULTI", NULL).rc, R_CLOSED);
    redis_session_close(session);
}

static void a_session_with_an_absent_server_says_unavailable(void **state)
{
    (void)state;
    struct redis *redis = probe_open("unix://%s.nobody", server.socket);
    struct redis_session *session = redis_session_open(redis);
    assert_int_equal(probe_ask_session(session, "MULTI", NULL).rc, R_UNAVAILABLE);
    redis_session_close(session);
    redis_close(redis);
}

static void a_session_outlives_the_driver_harmlessly(void **state)
{
    (void)state;
    struct redis *redis = probe_open("unix://%s", server.socket);
    struct redis_session *session = redis_session_open(redis);
    struct probe probe = {0};
    const struct slice argv[] = {SLICE("PING")};
    redis_session_send(session, 1, argv, 5000, probe_take, &probe);
    redis_close(redis);
    assert_int_equal(probe.rc, R_CLOSED);
    assert_int_equal(redis_session_send(session, 1, argv, 5000, probe_take, &probe), R_CLOSED);
    redis_session_close(session);
}

static void the_number_of_sessions_is_bounded(void **state)
{
    enum { MANY = 257 };
    struct redis_session *sessions[MANY];
    const struct slice argv[] = {SLICE("PING")};
    struct probe probe = {0};
    for (unsigned i = 0; i < MANY; i++)
        sessions[i] = redis_session_open(*state);
    assert_int_equal(redis_session_send(sessions[MANY - 1], 1, argv, 5000, probe_take, &probe),
                     R_OVERLOADED);
    for (unsigned i = 0; i < MANY; i++)
        redis_session_close(sessions[i]);
    assert_int_equal(probe.answers, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_transaction_commits_what_nobody_touched),
        TEST(a_conflict_aborts_the_transaction),
        TEST(an_unfinished_transaction_leaves_nothing_behind),
        TEST(a_blocking_command_holds_up_nobody_else),
        TEST(closing_a_session_fails_its_commands),
        TEST(a_session_does_not_survive_its_connection),
        TEST(a_session_with_an_absent_server_says_unavailable),
        TEST(a_session_outlives_the_driver_harmlessly),
        TEST(the_number_of_sessions_is_bounded),
    };
    return cmocka_run_group_tests(tests, start_server, end_server);
}
