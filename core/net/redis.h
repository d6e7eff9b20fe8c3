/* redis.h: Redis for one process: one pipelined connection that reconnects by itself, shared by everybody,
 * plus dedicated connections for MULTI/WATCH and one for subscriptions.
 * Calls return at once; replies arrive later, on the loop. Knows no Lua. */
#pragma once

#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>

struct loop;
struct redis;
struct redis_session;
struct redisReply;

struct redis_options {
    const char *url; /* SPEC 3, REDIS_URL: redis://, rediss://, unix://, redis+sentinel:// */
    unsigned connect_timeout_ms;
    unsigned max_in_flight;  /* beyond it redis_send answers R_OVERLOADED */
    const char *tls_ca_file; /* NULL = system roots */
    bool quiet;              /* do not log that it comes and goes: for commands, whose calls tell */
};

/* Runs exactly once per accepted command, never before redis_send() returned.
 * Borrows `reply` until it returns; on failure `reply` is NULL and `rc` says why. A Redis error reply
 * (type REDIS_REPLY_ERROR) is R_OK: the caller reads it. */
typedef void redis_done(void *owner, enum result rc, const struct redisReply *reply);

/* Never waits and never fails because Redis is away: it keeps trying with growing pauses. R_INVALID for a
 * bad URL. `options` is copied. */
enum result redis_open(struct loop *loop, const struct redis_options *options, struct redis **out,
                       struct failure *why);
/* Commands still in flight fail with R_CLOSED before this returns. Sessions and subscriptions stay valid for their own
 * ends, and are dead. Not from inside `changed` or `on_message`. */
void redis_close(struct redis *redis);

/* Queue one command. Anything but R_OK means refused: `done` will not run. While the connection is down
 * commands wait for it up to their timeout when it is being set up for the first time, and are refused
 * with R_UNAVAILABLE when it is known to be away (R_DENIED when that is because of our password). A reply over 64 MiB
 * is R_TOO_BIG and costs the connection. */
enum result redis_send(struct redis *redis, size_t argc, const struct slice *argv,
                       unsigned timeout_ms, redis_done *done, void *owner);

bool redis_is_up(const struct redis *redis);
/* Told on each change, and once soon after registration when already up. Any number of watchers. */
void redis_on_state(struct redis *redis, void (*changed)(void *owner, bool up), void *owner);

/* A connection of one's own for WATCH/MULTI/EXEC. Commands run in order; the session is not reused by
 * others, and a broken or unfinished one is discarded at the end. */
struct redis_session *redis_session_open(struct redis *redis);
enum result redis_session_send(struct redis_session *session, size_t argc, const struct slice *argv,
                               unsigned timeout_ms, redis_done *done, void *owner);
/* Commands still in flight fail with R_CLOSED before this returns. Every session needs it, also after redis_close(). */
void redis_session_close(struct redis_session *session);
bool redis_session_is_idle(const struct redis_session *session); /* nothing in flight */

/* Messages of one channel until unsubscribed; renewed after a reconnect (`message` with data NULL tells
 * that some may have been missed). */
struct redis_subscription;
struct redis_subscription *redis_subscribe(struct redis *redis, struct slice channel,
                                           void (*on_message)(void *owner, struct slice message),
                                           void *owner);
void redis_unsubscribe(struct redis_subscription *subscription);

/* For `fura version`. */
const char *redis_library(void);
