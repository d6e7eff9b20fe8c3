/* Messages of channels, also across a restart of the server. */
#include "support/redis_probe.h"
#include "support/redis_server.h"

#include <string.h>

static struct redis_server server;

struct ear {
    struct redis_subscription *subscription;
    unsigned messages, notices;
    char last[64];
    bool leaves_after_first;
};

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
    *state = probe_open("unix://%s", server.socket);
    probe_await_state(*state, true);
    return 0;
}

static int end(void **state)
{
    redis_close(*state);
    probe_end();
    return 0;
}

static void on_message(void *owner, struct slice message)
{
    struct ear *ear = owner;
    if (message.data) {
        ear->messages++;
        memcpy(ear->last, message.data, message.len);
        ear->last[message.len] = '\0';
    } else {
        ear->notices++;
    }
    if (ear->leaves_after_first)
        redis_unsubscribe(ear->subscription);
    probe_wake();
}

static void listen_to(struct redis *redis, struct ear *ear, const char *channel)
{
    ear->subscription = redis_subscribe(redis, slice_cstr(channel), on_message, ear);
}

/* Until Redis has `count` connections on the channel. */
static void await_listeners(struct redis *redis, const char *channel, unsigned count)
{
    char want[16];
    snprintf(want, sizeof want, ":%u", count);
    struct probe probe;
    do
        probe = probe_ask(redis, "EVAL", "return ':' .. redis.call('PUBSUB', 'NUMSUB', KEYS[1])[2]",
                          "1", channel, NULL);
    while (strcmp(probe.text, want) != 0);
}

static void every_listener_of_a_channel_hears_its_messages(void **state)
{
    struct ear a = {0}, b = {0}, other = {0};
    listen_to(*state, &a, "news");
    listen_to(*state, &b, "news");
    listen_to(*state, &other, "weather");
    await_listeners(*state, "news", 1);
    probe_ask(*state, "PUBLISH", "news", "hello", NULL);
    probe_until(&a.messages);
    assert_string_equal(a.last, "hello");
    assert_string_equal(b.last, "hello");
    assert_int_equal(other.messages, 0);
    assert_int_equal(a.notices, 0);
    redis_unsubscribe(a.subscription);
    probe_ask(*state, "PUBLISH", "news", "again", NULL);
    probe_until_count(&b.messages, 2);
    assert_string_equal(b.last, "again");
    assert_int_equal(a.messages, 1);
    redis_unsubscribe(b.subscription);
    await_listeners(*state, "news", 0);
    redis_unsubscribe(other.subscription);
}

static void a_listener_may_leave_while_it_hears(void **state)
{
    struct ear a = {.leaves_after_first = true}, b = {.leaves_after_first = true};
    listen_to(*state, &a, "news");
    listen_to(*state, &b, "news");
    await_listeners(*state, "news", 1);
    probe_ask(*state, "PUBLISH", "news", "once", NULL);
    probe_until(&b.messages);
    probe_until(&a.messages);
    await_listeners(*state, "news", 0);
    assert_int_equal(probe_ask(*state, "PUBLISH", "news", "nobody", NULL).integer, 0);
}

static void after_a_reconnect_listeners_learn_that_they_missed_some(void **state)
{
    struct ear ear = {0};
    listen_to(*state, &ear, "news");
    await_listeners(*state, "news", 1);
    redis_server_kill(&server);
    redis_server_start(&server);
    probe_until(&ear.notices);
    assert_int_equal(ear.notices, 1);
    probe_await_state(*state, true);
    assert_int_equal(probe_ask(*state, "PUBLISH", "news", "back", NULL).integer, 1);
    probe_until(&ear.messages);
    assert_string_equal(ear.last, "back");
    redis_unsubscribe(ear.subscription);
}

static void a_subscription_may_begin_while_the_server_is_away(void **state)
{
    struct ear ear = {0};
    redis_server_kill(&server);
    probe_await_state(*state, false);
    listen_to(*state, &ear, "news");
    redis_server_start(&server);
    probe_await_state(*state, true);
    await_listeners(*state, "news", 1);
    probe_ask(*state, "PUBLISH", "news", "first", NULL);
    probe_until(&ear.messages);
    assert_string_equal(ear.last, "first");
    redis_unsubscribe(ear.subscription);
}

static void closing_the_driver_ends_subscriptions_quietly(void **state)
{
    (void)state;
    struct redis *redis = probe_open("unix://%s", server.socket);
    struct ear a = {0}, b = {0};
    listen_to(redis, &a, "news");
    listen_to(redis, &b, "weather");
    redis_unsubscribe(a.subscription);
    redis_close(redis);
    redis_unsubscribe(b.subscription);
    assert_int_equal(b.messages + b.notices, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_listener_of_a_channel_hears_its_messages),
        TEST(a_listener_may_leave_while_it_hears),
        TEST(after_a_reconnect_listeners_learn_that_they_missed_some),
        TEST(a_subscription_may_begin_while_the_server_is_away),
        TEST(closing_the_driver_ends_subscriptions_quietly),
    };
    return cmocka_run_group_tests(tests, start_server, end_server);
}
