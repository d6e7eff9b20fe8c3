/* redis_conn.h: one connection to one Redis, from its first packet to its end. It never reconnects:
 * who owns it makes another one (redis_link.c). */
#pragma once

#include "net/redis_pipe.h"
#include "net/redis_url.h"

struct loop;
struct resolve;
struct tls_client;
struct redis_conn;

struct redis_conn_spec {
    struct loop *loop;
    struct resolve *resolve;
    struct tls_client *tls; /* NULL = plain */
    const char *user, *password;
    unsigned db;
    bool must_be_master;         /* checked with ROLE */
    unsigned connect_timeout_ms; /* from dialling to the last answer of the greeting */
    unsigned max_in_flight;
};

/* Each may be NULL. */
struct redis_conn_events {
    void (*up)(void *owner);
    /* The last event, told at most once; the owner frees the connection, here or later. Then what
     * is in flight fails: R_CLOSED, or R_UNAVAILABLE or R_DENIED if it never was up; later sends
     * are refused with the same. */
    void (*down)(void *owner, const struct failure *why);
    /* When set, replies come here and not to commands: a connection of subscriptions. */
    void (*reply)(void *owner, const struct redisReply *reply);
};

/* `spec` and `events` are borrowed for its life. Commands are accepted at once and wait for the
 * dialling. */
struct redis_conn *redis_conn_new(const struct redis_conn_spec *spec,
                                  const struct redis_conn_events *events, void *owner);
/* `endpoint` is copied. `turn` says which of several addresses of a name comes first. */
void redis_conn_dial(struct redis_conn *conn, const struct redis_endpoint *endpoint, unsigned turn);

/* As redis_send(). */
enum result redis_conn_send(struct redis_conn *conn, size_t argc, const struct slice *argv,
                            unsigned timeout_ms, redis_done *done, void *owner);
/* Only on a connection of subscriptions: bytes without a waiting command. */
void redis_conn_post(struct redis_conn *conn, size_t argc, const struct slice *argv);

/* What is in flight fails before this returns. Fine inside callbacks. */
void redis_conn_free(struct redis_conn *conn);
/* End it as if the server had: `down` is told with these words. */
void redis_conn_break(struct redis_conn *conn, enum result rc, const char *text);

bool redis_conn_is_idle(const struct redis_conn *conn);     /* nothing is in flight */
int64_t redis_conn_heard_ms(const struct redis_conn *conn); /* when the last byte came */
