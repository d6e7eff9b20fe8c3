/* redis_sentinel.c: see redis_sentinel.h. A connection per question: questions are rare, and a
 * sentinel that died in between is then simply passed over. */
#include "net/redis_sentinel.h"
#include "base/mem.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

struct redis_sentinel {
    struct redis_conn_spec spec;
    const struct redis_url *url;
    struct redis_conn *conn; /* NULL when no question is open */
    unsigned next, left;     /* whom to ask now, and how many more before giving up */
    redis_sentinel_done *done;
    void *owner;
    struct failure why;
    char host[256];
};

static void ask_next(struct redis_sentinel *sentinel);

static void on_down(void *owner, const struct failure *why)
{
    struct redis_sentinel *sentinel = owner;
    fail(&sentinel->why, R_UNAVAILABLE, "sentinel %.300s", why->text);
}

static const struct redis_conn_events conn_events = {.down = on_down};

struct redis_sentinel *redis_sentinel_new(const struct redis_conn_spec *spec,
                                          const struct redis_url *url)
{
    struct redis_sentinel *sentinel = mem_new(struct redis_sentinel);
    sentinel->url = url;
    sentinel->spec = (struct redis_conn_spec){
        .loop = spec->loop,
        .resolve = spec->resolve,
        .connect_timeout_ms = spec->connect_timeout_ms,
        .max_in_flight = 1,
    };
    return sentinel;
}

void redis_sentinel_free(struct redis_sentinel *sentinel)
{
    if (!sentinel)
        return;
    redis_sentinel_forget(sentinel);
    free(sentinel);
}

void redis_sentinel_forget(struct redis_sentinel *sentinel)
{
    struct redis_conn *conn = sentinel->conn;
    sentinel->conn = NULL; /* on_answer sees that nobody asks any more */
    redis_conn_free(conn);
}

static bool read_address(struct redis_sentinel *sentinel, const redisReply *reply,
                         struct redis_endpoint *master)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING)
        return false;
    long port = strtol(reply->element[1]->str, NULL, 10);
    if (port < 1 || port > UINT16_MAX || reply->element[0]->len == 0 ||
        reply->element[0]->len >= sizeof sentinel->host)
        return false;
    snprintf(sentinel->host, sizeof sentinel->host, "%s", reply->element[0]->str);
    *master = (struct redis_endpoint){sentinel->host, (uint16_t)port};
    return true;
}

static void on_answer(void *owner, enum result rc, const struct redisReply *reply)
{
    struct redis_sentinel *sentinel = owner;
    struct redis_endpoint master;
    if (!sentinel->conn)
        return;
    const struct redis_endpoint *asked = &sentinel->url->hosts[sentinel->next];
    bool found = rc == R_OK && read_address(sentinel, reply, &master);
    if (rc == R_OK && !found)
        fail(&sentinel->why, R_UNAVAILABLE, "sentinel %s port %u does not know a master named %s",
             asked->host, asked->port, sentinel->url->master_name);
    else if (rc == R_TIMEOUT)
        fail(&sentinel->why, R_UNAVAILABLE, "sentinel %s port %u did not answer", asked->host,
             asked->port);
    redis_sentinel_forget(sentinel);
    if (found) {
        sentinel->done(sentinel->owner, &master, NULL);
        return;
    }
    sentinel->next = (sentinel->next + 1) % sentinel->url->host_count;
    if (--sentinel->left > 0)
        ask_next(sentinel);
    else
        sentinel->done(sentinel->owner, NULL, &sentinel->why);
}

static void ask_next(struct redis_sentinel *sentinel)
{
    const struct slice argv[] = {SLICE("SENTINEL"), SLICE("get-master-addr-by-name"),
                                 slice_cstr(sentinel->url->master_name)};
    sentinel->conn = redis_conn_new(&sentinel->spec, &conn_events, sentinel);
    redis_conn_send(sentinel->conn, 3, argv, sentinel->spec.connect_timeout_ms, on_answer,
                    sentinel);
    redis_conn_dial(sentinel->conn, &sentinel->url->hosts[sentinel->next], 0);
}

void redis_sentinel_ask(struct redis_sentinel *sentinel, redis_sentinel_done *done, void *owner)
{
    redis_sentinel_forget(sentinel);
    sentinel->done = done;
    sentinel->owner = owner;
    sentinel->left = sentinel->url->host_count;
    ask_next(sentinel);
}
