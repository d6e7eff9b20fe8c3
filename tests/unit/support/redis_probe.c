/* redis_probe.c: see redis_probe.h. */
#include "support/redis_probe.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { ARGS_MAX = 16, GUARD_MS = 20000, TIMEOUT_MS = 15000, STATE_LOOK_MS = 2 };

struct loop *probe_loop;

void probe_begin(void)
{
    signal(SIGPIPE, SIG_IGN);
    probe_loop = loop_new();
}

void probe_end(void)
{
    loop_free(probe_loop);
    probe_loop = NULL;
}

void probe_wake(void)
{
    loop_stop(probe_loop);
}

static void on_guard(void *owner)
{
    *(bool *)owner = true;
    loop_stop(probe_loop);
}

void probe_until_count(const unsigned *count, unsigned wanted)
{
    bool too_long = false;
    struct loop_timer *guard = loop_timer_new(probe_loop, on_guard, &too_long);
    loop_timer_start(guard, GUARD_MS);
    while (*count < wanted && !too_long)
        loop_run(probe_loop);
    loop_timer_free(guard);
    assert_false(too_long);
}

void probe_until(const unsigned *flag)
{
    probe_until_count(flag, 1);
}

void probe_take(void *owner, enum result rc, const struct redisReply *reply)
{
    struct probe *probe = owner;
    probe->rc = rc;
    probe->answers++;
    if (reply) {
        probe->type = reply->type;
        probe->integer = reply->integer;
        probe->elements = reply->elements;
        probe->len = reply->len;
        size_t len = reply->len < sizeof probe->text - 1 ? reply->len : sizeof probe->text - 1;
        if (reply->str)
            memcpy(probe->text, reply->str, len);
        probe->text[len] = '\0';
    }
    probe_wake();
}

static size_t collect(struct slice *argv, va_list args)
{
    size_t argc = 0;
    for (const char *arg = va_arg(args, const char *); arg; arg = va_arg(args, const char *))
        argv[argc++] = slice_cstr(arg);
    return argc;
}

enum result probe_send(struct redis *redis, struct probe *probe, unsigned timeout_ms, ...)
{
    struct slice argv[ARGS_MAX];
    va_list args;
    va_start(args, timeout_ms);
    size_t argc = collect(argv, args);
    va_end(args);
    return redis_send(redis, argc, argv, timeout_ms, probe_take, probe);
}

struct probe probe_ask(struct redis *redis, ...)
{
    struct probe probe = {0};
    struct slice argv[ARGS_MAX];
    va_list args;
    va_start(args, redis);
    size_t argc = collect(argv, args);
    va_end(args);
    probe.rc = redis_send(redis, argc, argv, TIMEOUT_MS, probe_take, &probe);
    if (probe.rc == R_OK)
        probe_until(&probe.answers);
    return probe;
}

struct probe probe_ask_session(struct redis_session *session, ...)
{
    struct probe probe = {0};
    struct slice argv[ARGS_MAX];
    va_list args;
    va_start(args, session);
    size_t argc = collect(argv, args);
    va_end(args);
    probe.rc = redis_session_send(session, argc, argv, TIMEOUT_MS, probe_take, &probe);
    if (probe.rc == R_OK)
        probe_until(&probe.answers);
    return probe;
}

struct redis *probe_open_with(const struct redis_options *options)
{
    struct redis *redis = NULL;
    struct failure why = {0};
    if (redis_open(probe_loop, options, &redis, &why) != R_OK)
        fail_msg("%s", why.text);
    return redis;
}

struct redis *probe_open(const char *format, ...)
{
    char url[256];
    va_list args;
    va_start(args, format);
    vsnprintf(url, sizeof url, format, args);
    va_end(args);
    return probe_open_with(
        &(struct redis_options){.url = url, .connect_timeout_ms = 2000, .max_in_flight = 20000});
}

struct state_look {
    struct redis *redis;
    bool up;
    unsigned reached;
    struct loop_timer *timer;
};

static void on_look(void *owner)
{
    struct state_look *look = owner;
    look->reached = redis_is_up(look->redis) == look->up;
    if (look->reached)
        probe_wake();
    else
        loop_timer_start(look->timer, STATE_LOOK_MS);
}

void probe_await_state(struct redis *redis, bool up)
{
    struct state_look look = {.redis = redis, .up = up};
    look.timer = loop_timer_new(probe_loop, on_look, &look);
    on_look(&look);
    if (!look.reached)
        probe_until(&look.reached);
    loop_timer_free(look.timer);
}
