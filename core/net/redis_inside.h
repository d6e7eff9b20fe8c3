/* redis_inside.h: what redis.c, redis_session.c and redis_subscribe.c share. Nobody else includes
 * it. */
#pragma once

#include "net/loop.h"
#include "net/redis_link.h"

struct redis_subscriber;

struct redis_watcher {
    void (*changed)(void *owner, bool up);
    void *owner;
    bool told; /* what it was told last */
    struct redis *redis;
    struct loop_later later;
    struct redis_watcher *next;
};

struct redis {
    struct redis_url url;
    struct redis_conn_spec spec;
    struct redis_link link; /* the shared connection */
    struct redis_watcher *watchers;
    struct redis_session *sessions;
    unsigned session_count;
    struct redis_subscriber *subscriber; /* NULL until somebody subscribes */
};

/* At redis_close(): what is in flight fails; the handles stay valid and only wait for their own
 * end. */
void redis_session_close_all(struct redis *redis);
void redis_subscriber_close(struct redis *redis);
