/* redis_link.h: a connection that is always made again: finds the server (through sentinels when
 * there are some), connects, and after a loss tries again with growing, jittered pauses. */
#pragma once

#include "net/redis_conn.h"

struct redis_sentinel;
struct loop_timer;

/* Each may be NULL. */
struct redis_link_events {
    void (*up)(void *owner);
    void (*away)(void *owner); /* lost, or one more attempt was in vain */
    void (*reply)(void *owner, const struct redisReply *reply); /* see redis_conn_events */
};

struct redis_link {
    const struct redis_conn_spec *spec;
    const struct redis_url *url;
    const struct redis_link_events *events;
    void *owner;
    const char *purpose; /* for the log */
    bool quiet;          /* nothing is logged */
    struct redis_conn_events conn_events;
    struct redis_conn *conn;        /* NULL in a pause */
    bool up, tried;                 /* tried: the first attempt is over */
    enum result away;               /* how commands are refused while it is not up */
    struct redis_endpoint endpoint; /* of the last attempt; host NULL before the first */
    struct redis_sentinel *sentinel;
    struct loop_timer *timer; /* the end of the pause; while up, the next look at the sentinels */
    unsigned pause_ms, turn;
    int64_t up_since_ms;
    struct failure last_why;
};

/* Everything is borrowed until redis_link_stop(). */
struct redis_link_setup {
    const struct redis_conn_spec *spec;
    const struct redis_url *url;
    const struct redis_link_events *events;
    void *owner;
    const char *purpose;
    bool quiet;
};
void redis_link_start(struct redis_link *link, const struct redis_link_setup *setup);
void redis_link_stop(struct redis_link *link); /* what is in flight fails with R_CLOSED */
