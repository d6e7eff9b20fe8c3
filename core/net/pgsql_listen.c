/* pgsql_listen.c: LISTEN for everybody in this process, on one connection that is not part of the
 * pool. */
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/pgsql_conn.h"

#include <stdlib.h>

struct pgsql_listener {
    struct pgsql_listener *next;
    struct pgsql_listening *listening;
    char *channel;
    void (*on_notice)(void *owner, struct slice payload); /* NULL once it was ended */
    void *owner;
    struct pgsql_job *job; /* its LISTEN, on the way */
};

struct pgsql_listening {
    struct pgsql_conn conn;
    struct pgsql_listener *listeners;
    struct loop_timer *retry;
    unsigned pause_ms;
    unsigned
        calling; /* callbacks under way: ended listeners stay in the list until they are through */
};

static void sweep(struct pgsql_listening *listening)
{
    struct pgsql_listener **link = &listening->listeners;
    while (*link && listening->calling == 0) {
        struct pgsql_listener *listener = *link;
        if (listener->on_notice) {
            link = &listener->next;
            continue;
        }
        *link = listener->next;
        free(listener->channel);
        free(listener);
    }
}

static void tell(struct pgsql_listener *listener, struct slice payload)
{
    struct pgsql_listening *listening = listener->listening;
    listening->calling++;
    if (listener->on_notice)
        listener->on_notice(listener->owner, payload);
    listening->calling--;
}

static char *quoted(const char *verb, const char *channel)
{
    struct buf sql = {0};
    buf_printf(&sql, "%s \"", verb);
    for (const char *at = channel; *at; at++) {
        if (*at == '"')
            buf_append_char(&sql, '"');
        buf_append_char(&sql, *at);
    }
    buf_append_char(&sql, '"');
    buf_cstr(&sql);
    return sql.data;
}

static void on_listening(void *owner, enum result rc, const struct pgsql_result *result,
                         const struct failure *why)
{
    struct pgsql_listener *listener = owner;
    struct pgsql_listening *listening = listener->listening;
    (void)result;
    listener->job = NULL;
    if (rc == R_OK)
        tell(listener, (struct slice){0});
    else
        log_error("LISTEN was refused", LOG_STR("channel", listener->channel),
                  LOG_STR("text", why->text));
    sweep(listening);
}

static void send_listen(struct pgsql_listener *listener)
{
    char *sql = quoted("LISTEN", listener->channel);
    listener->job =
        pgsql_conn_send_housekeeping(&listener->listening->conn, sql, on_listening, listener);
    free(sql);
}

static void on_ready(struct pgsql_conn *conn)
{
    struct pgsql_listening *listening = conn->pgsql->listening;
    listening->pause_ms = 0;
    for (struct pgsql_listener *it = listening->listeners; it; it = it->next)
        if (it->on_notice && !it->job)
            send_listen(it);
}

static void on_room(struct pgsql_conn *conn)
{
    (void)conn;
}

static void on_lost(struct pgsql_conn *conn, struct pgsql_jobs *moved)
{
    struct pgsql_listening *listening = conn->pgsql->listening;
    (void)moved; /* housekeeping never moves */
    for (struct pgsql_listener *it = listening->listeners; it; it = it->next)
        it->job = NULL;
    if (conn->was_ready)
        log_info("the connection that listens was lost", LOG_STR("text", conn->trouble.base.text));
    bool at_once = conn->was_ready && !pgsql_conn_died_young(conn);
    loop_timer_start(listening->retry,
                     at_once ? 0 : pgsql_next_pause(&listening->pause_ms, conn->trouble.base.rc));
}

/* A listener whose LISTEN is still on its way will be told to read everything anyway. */
static void on_notified(struct pgsql_conn *conn, const char *channel, const char *payload)
{
    struct pgsql_listening *listening = conn->pgsql->listening;
    listening->calling++;
    for (struct pgsql_listener *it = listening->listeners; it; it = it->next)
        if (strcmp(it->channel, channel) == 0 && !it->job)
            tell(it, slice_cstr(payload));
    listening->calling--;
    sweep(listening);
}

static const struct conn_events listen_events = {
    .ready = on_ready, .room = on_room, .lost = on_lost, .notified = on_notified};

static void on_retry(void *owner)
{
    struct pgsql_listening *listening = owner;
    if (listening->conn.state == CONN_CLOSED)
        pgsql_conn_open(&listening->conn);
}

static struct pgsql_listening *start_listening(struct pgsql *pgsql)
{
    struct pgsql_listening *listening = mem_new(struct pgsql_listening);
    listening->retry = loop_timer_new(pgsql->loop, on_retry, listening);
    pgsql_conn_init(&listening->conn, pgsql, &listen_events);
    pgsql->listening = listening;
    pgsql_conn_open(&listening->conn);
    return listening;
}

struct pgsql_listener *pgsql_listen(struct pgsql *pgsql, const char *channel,
                                    void (*on_notice)(void *owner, struct slice payload),
                                    void *owner)
{
    struct pgsql_listening *listening = pgsql->listening;
    if (!listening)
        listening = start_listening(pgsql);
    struct pgsql_listener *listener = mem_new(struct pgsql_listener);
    listener->listening = listening;
    listener->channel = mem_strdup(channel);
    listener->on_notice = on_notice;
    listener->owner = owner;
    listener->next = listening->listeners;
    listening->listeners = listener;
    if (listening->conn.state == CONN_READY)
        send_listen(listener);
    return listener;
}

static void on_ignored(void *owner, enum result rc, const struct pgsql_result *result,
                       const struct failure *why)
{
    (void)owner, (void)rc, (void)result, (void)why;
}

static bool is_heard(const struct pgsql_listening *listening, const char *channel)
{
    for (const struct pgsql_listener *it = listening->listeners; it; it = it->next)
        if (it->on_notice && strcmp(it->channel, channel) == 0)
            return true;
    return false;
}

void pgsql_unlisten(struct pgsql_listener *listener)
{
    struct pgsql_listening *listening = listener->listening;
    listener->on_notice = NULL;
    if (listener->job)
        listener->job->done = on_ignored;
    listener->job = NULL;
    if (listening->conn.state == CONN_READY && !is_heard(listening, listener->channel)) {
        char *sql = quoted("UNLISTEN", listener->channel);
        pgsql_conn_send_housekeeping(&listening->conn, sql, on_ignored, NULL);
        free(sql);
    }
    sweep(listening);
}

int64_t pgsql_listening_expire(struct pgsql *pgsql, int64_t now_ms)
{
    return pgsql->listening ? pgsql_conn_expire(&pgsql->listening->conn, now_ms) : INT64_MAX;
}

void pgsql_listening_close(struct pgsql *pgsql)
{
    struct pgsql_listening *listening = pgsql->listening;
    if (!listening)
        return;
    pgsql_conn_close_now(&listening->conn);
    for (struct pgsql_listener *it = listening->listeners; it; it = it->next)
        it->on_notice = NULL;
    sweep(listening);
    loop_timer_free(listening->retry);
    free(listening);
    pgsql->listening = NULL;
}
