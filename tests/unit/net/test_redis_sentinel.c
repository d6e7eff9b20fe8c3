/* A master found through sentinels, and followed when another takes its place. */
#include "support/redis_probe.h"
#include "support/redis_server.h"

#include <stdio.h>
#include <string.h>

static struct redis_server master, replica, sentinel;
static char replica_of[32];

static void start_pair(void)
{
    redis_server_init(&master);
    redis_server_use_tcp(&master, "--port");
    redis_server_add(&master, "--repl-diskless-sync-delay", "0");
    redis_server_start(&master);
    redis_server_init(&replica);
    redis_server_use_tcp(&replica, "--port");
    snprintf(replica_of, sizeof replica_of, "127.0.0.1 %u", master.port);
    redis_server_add(&replica, "--replicaof", replica_of);
    redis_server_start(&replica);
}

/* Ask again until the reply holds `text`. */
static void await_text(const char *socket, const char *text, const char *const *words)
{
    struct redis *redis = probe_open("unix://%s", socket);
    struct probe probe;
    do
        probe = probe_ask(redis, words[0], words[1], words[2], NULL);
    while (!strstr(probe.text, text));
    redis_close(redis);
}

static void await_replica_known(void)
{
    struct redis *redis = probe_open("unix://%s", sentinel.socket);
    while (probe_ask(redis, "SENTINEL", "replicas", "main", NULL).elements != 1)
        continue;
    redis_close(redis);
}

static int begin(void **state)
{
    (void)state;
    probe_begin();
    start_pair();
    await_text(replica.socket, "master_link_status:up",
               (const char *const[]){"INFO", "replication", NULL});
    redis_server_init(&sentinel);
    redis_server_start_sentinel(&sentinel, &master, "main");
    await_replica_known();
    return 0;
}

static int end(void **state)
{
    (void)state;
    redis_server_end(&sentinel);
    redis_server_end(&replica);
    redis_server_end(&master);
    probe_end();
    return 0;
}

static struct redis *open_by_sentinel(const char *name)
{
    /* The first sentinel is down: the next one is asked. */
    return probe_open("redis+sentinel://127.0.0.1:%u,127.0.0.1:%u/%s/0", redis_server_free_port(),
                      sentinel.port, name);
}

static void the_next_master_is_followed(void **state)
{
    (void)state;
    struct redis *redis = open_by_sentinel("main");
    assert_string_equal(probe_ask(redis, "SET", "k", "1", NULL).text, "OK");
    struct redis_session *session = redis_session_open(redis);
    assert_string_equal(probe_ask_session(session, "GET", "k", NULL).text, "1");
    redis_session_close(session);

    redis_server_kill(&master);
    probe_await_state(redis, false);
    probe_await_state(redis, true);
    struct probe role = probe_ask(redis, "SET", "k", "2", NULL);
    assert_int_equal(role.rc, R_OK);
    assert_string_equal(role.text, "OK");
    redis_close(redis);
}

static void a_master_that_turns_replica_is_left(void **state)
{
    (void)state;
    struct redis *redis = open_by_sentinel("main");
    probe_await_state(redis, true);
    char port[8];
    snprintf(port, sizeof port, "%u", replica.port);
    probe_ask(redis, "REPLICAOF", "127.0.0.1", port, NULL);
    assert_int_equal(probe_ask(redis, "SET", "k", "1", NULL).type, REDIS_REPLY_ERROR);
    assert_false(redis_is_up(redis));
    assert_int_equal(probe_ask(redis, "SET", "k", "1", NULL).rc, R_UNAVAILABLE);
    redis_close(redis);
}

static void an_unknown_master_name_keeps_it_away(void **state)
{
    (void)state;
    struct redis *redis = open_by_sentinel("other");
    assert_int_equal(probe_ask(redis, "PING", NULL).rc, R_UNAVAILABLE);
    struct redis_session *session = redis_session_open(redis);
    assert_int_equal(probe_ask_session(session, "PING", NULL).rc, R_UNAVAILABLE);
    redis_session_close(session);
    redis_close(redis);
}

static void closing_while_sentinels_are_asked_is_clean(void **state)
{
    (void)state;
    struct redis *redis = open_by_sentinel("main");
    struct probe probe = {0};
    probe_send(redis, &probe, 5000, "PING", NULL);
    redis_close(redis);
    assert_int_equal(probe.rc, R_CLOSED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_next_master_is_followed),
        TEST(a_master_that_turns_replica_is_left),
        TEST(an_unknown_master_name_keeps_it_away),
        TEST(closing_while_sentinels_are_asked_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
