/* redis_session.c: a connection of one's own, made for it and closed after it. It never reconnects:
 * what WATCH and MULTI have built up dies with the connection, and its owner must learn that. */
#include "base/mem.h"
#include "net/redis_inside.h"

#include <stdlib.h>

enum { SESSIONS_MAX = 256 };

struct redis_session {
    struct redis *redis;     /* NULL after redis_close() */
    struct redis_conn *conn; /* NULL: refused from the start, or redis_close() came */
    enum result refusal;
    struct redis_session *next, *prev;
};

static const struct redis_conn_events no_events = {0};

static void connect_session(struct redis_session *session)
{
    struct redis *redis = session->redis;
    const struct redis_endpoint *endpoint = &redis->link.endpoint;
    if (redis->session_count >= SESSIONS_MAX) {
        session->refusal = R_OVERLOADED;
    } else if (!endpoint->host) {
        session->refusal = R_UNAVAILABLE; /* no sentinel has named a master so far */
    } else {
        session->conn = redis_conn_new(&redis->spec, &no_events, session);
        redis_conn_dial(session->conn, endpoint, redis->link.turn);
    }
}

struct redis_session *redis_session_open(struct redis *redis)
{
    struct redis_session *session = mem_new(struct redis_session);
    session->redis = redis;
    connect_session(session);
    session->next = redis->sessions;
    if (session->next)
        session->next->prev = session;
    redis->sessions = session;
    redis->session_count++;
    return session;
}

enum result redis_session_send(struct redis_session *session, size_t argc, const struct slice *argv,
                               unsigned timeout_ms, redis_done *done, void *owner)
{
    if (!session->conn)
        return session->refusal;
    return redis_conn_send(session->conn, argc, argv, timeout_ms, done, owner);
}

bool redis_session_is_idle(const struct redis_session *session)
{
    return !session->conn || redis_conn_is_idle(session->conn);
}

static void detach(struct redis_session *session)
{
    struct redis *redis = session->redis;
    if (session->prev)
        session->prev->next = session->next;
    else
        redis->sessions = session->next;
    if (session->next)
        session->next->prev = session->prev;
    redis->session_count--;
    session->redis = NULL;
    session->next = session->prev = NULL;
}

/* In-flight callbacks run in here and may close the session. */
static void drop_connection(struct redis_session *session)
{
    struct redis_conn *conn = session->conn;
    session->conn = NULL;
    session->refusal = R_CLOSED;
    redis_conn_free(conn);
}

void redis_session_close(struct redis_session *session)
{
    if (session->redis)
        detach(session);
    struct redis_conn *conn = session->conn;
    free(session);
    redis_conn_free(conn);
}

void redis_session_close_all(struct redis *redis)
{
    while (redis->sessions) {
        struct redis_session *session = redis->sessions;
        detach(session);
        drop_connection(session);
    }
}
