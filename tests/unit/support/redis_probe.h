/* redis_probe.h: ask a struct redis one thing and wait for the answer, with the loop running
 * meanwhile. */
#pragma once

#include "net/loop.h"
#include "net/redis.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <hiredis/hiredis.h>

struct probe {
    enum result rc;
    int type;
    long long integer;
    size_t elements;
    char text[256];
    size_t len; /* of the whole string, also when `text` holds less */
    unsigned answers;
};

/* Each test file has one loop at a time. */
extern struct loop *probe_loop;
void probe_begin(void);
void probe_end(void);

/* Run the loop until `*count` has reached `wanted`, or 1; fails the test after 20 s. */
void probe_until_count(const unsigned *count, unsigned wanted);
void probe_until(const unsigned *flag);
/* Wakes probe_until() to look again. */
void probe_wake(void);

/* A redis_done with a struct probe as owner. */
void probe_take(void *owner, enum result rc, const struct redisReply *reply);

/* Arguments end with NULL. */
enum result probe_send(struct redis *redis, struct probe *probe, unsigned timeout_ms, ...);
struct probe probe_ask(struct redis *redis, ...);
struct probe probe_ask_session(struct redis_session *session, ...);

struct redis *probe_open(const char *format, ...) __attribute__((format(printf, 1, 2)));
struct redis *probe_open_with(const struct redis_options *options);
/* Wait until redis_is_up() says so. */
void probe_await_state(struct redis *redis, bool up);
