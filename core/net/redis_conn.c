/* redis_conn.c: see redis_conn.h.
 *
 * Commands go into the pipe's buffer and leave in one write at the end of the loop's turn.
 * Callbacks may free the connection: every entry from the loop is bracketed by enter() and leave(),
 * and the memory goes with the last leave(). */
#include "net/redis_conn.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/redis_greeting.h"
#include "net/redis_reader.h"
#include "net/redis_socket.h"

#include <stdlib.h>

enum {
    REPLY_LIMIT = 64 * 1024 * 1024,
    OUT_LIMIT = 64 * 1024 * 1024,
    OUT_KEEP = 256 * 1024,
    READ_CHUNK = 64 * 1024,
    FEED_CHUNK =
        16 * 1024,     /* hiredis moves what is left of its buffer after every KiB of replies */
    SILENCE_MS = 5000, /* a late server that says nothing for so long is taken for dead */
};

enum state { NEW, DIALLING, GREETING, UP, CLOSED };

struct redis_conn {
    const struct redis_conn_spec *spec;
    const struct redis_conn_events *events;
    void *owner;
    enum state state;
    unsigned depth; /* entries from the loop we are inside of */
    bool freed;
    enum result ended; /* what commands in flight are told at the end */
    struct redis_socket *socket;
    struct redis_reader *reader;
    struct redis_pipe pipe;
    struct redis_greeting greeting;
    struct loop_timer *setup_timer, *deadline_timer;
    struct loop_later flush_later;
    int64_t heard_ms;
};

static void flush(struct redis_conn *conn);

static void enter(struct redis_conn *conn)
{
    conn->depth++;
}

static void leave(struct redis_conn *conn)
{
    if (--conn->depth > 0 || !conn->freed)
        return;
    redis_reader_free(conn->reader);
    redis_pipe_clear(&conn->pipe);
    free(conn);
}

/* ---- the end ---- */

static void release(struct redis_conn *conn)
{
    conn->state = CLOSED;
    loop_later_cancel(&conn->flush_later);
    loop_timer_free(conn->setup_timer);
    loop_timer_free(conn->deadline_timer);
    redis_socket_close(conn->socket);
    redis_greeting_clear(&conn->greeting);
    conn->setup_timer = conn->deadline_timer = NULL;
    conn->socket = NULL;
}

static void go_down(struct redis_conn *conn, const struct failure *why)
{
    if (conn->state == CLOSED)
        return;
    enter(conn);
    if (conn->state != UP)
        conn->ended = why->rc == R_DENIED ? R_DENIED : R_UNAVAILABLE;
    release(conn);
    if (conn->events->down)
        conn->events->down(conn->owner, why);
    redis_pipe_fail(&conn->pipe, conn->ended);
    leave(conn);
}

void redis_conn_break(struct redis_conn *conn, enum result rc, const char *text)
{
    struct failure why;
    fail(&why, rc, "%s", text);
    go_down(conn, &why);
}

void redis_conn_free(struct redis_conn *conn)
{
    if (!conn || conn->freed)
        return;
    enter(conn);
    if (conn->state != CLOSED)
        release(conn);
    conn->freed = true;
    redis_pipe_fail(&conn->pipe, conn->ended);
    leave(conn);
}

/* ---- time ---- */

static void arm_deadline(struct redis_conn *conn)
{
    int64_t late_since = redis_pipe_late_since(&conn->pipe), due_ms = conn->pipe.due_ms;
    if (late_since != INT64_MAX && late_since + SILENCE_MS < due_ms)
        due_ms = late_since + SILENCE_MS;
    if (due_ms != INT64_MAX)
        loop_timer_start(conn->deadline_timer, due_ms - clock_monotonic_ms());
}

static void on_deadline(void *owner)
{
    struct redis_conn *conn = owner;
    enter(conn);
    int64_t now_ms = clock_monotonic_ms();
    redis_pipe_expire(&conn->pipe, now_ms);
    int64_t late_since = redis_pipe_late_since(&conn->pipe);
    if (conn->state == UP && late_since != INT64_MAX && now_ms - late_since >= SILENCE_MS)
        redis_conn_break(conn, R_TIMEOUT, "Redis stopped answering");
    if (conn->state != CLOSED)
        arm_deadline(conn);
    leave(conn);
}

static void on_setup_timeout(void *owner)
{
    struct redis_conn *conn = owner;
    enter(conn);
    redis_conn_break(conn, R_TIMEOUT,
                     conn->state == DIALLING ? "connecting took too long"
                                             : "Redis accepted the connection and did not answer");
    leave(conn);
}

bool redis_conn_is_idle(const struct redis_conn *conn)
{
    return conn->pipe.count == 0;
}

int64_t redis_conn_heard_ms(const struct redis_conn *conn)
{
    return conn->heard_ms;
}

/* ---- in ---- */

static void go_up(struct redis_conn *conn)
{
    conn->state = UP;
    loop_timer_stop(conn->setup_timer);
    redis_greeting_clear(&conn->greeting);
    if (conn->events->up)
        conn->events->up(conn->owner);
    if (conn->state == UP)
        flush(conn);
}

static void take_greeting(struct redis_conn *conn, const struct redisReply *reply)
{
    struct failure why;
    if (redis_greeting_take(&conn->greeting, reply, &why) != R_OK)
        go_down(conn, &why);
    else if (redis_greeting_is_over(&conn->greeting))
        go_up(conn);
}

/* Some error replies say that the whole connection is of no use now. The command still gets its
 * reply. */
static void take_reply(struct redis_conn *conn, const struct redisReply *reply)
{
    const char *useless = redis_greeting_verdict(reply, conn->spec->must_be_master);
    if (conn->events->reply)
        conn->events->reply(conn->owner, reply);
    else if (!redis_pipe_answer(&conn->pipe, R_OK, reply))
        useless = "Redis sent a reply that nobody asked for";
    if (useless)
        redis_conn_break(conn, R_UNAVAILABLE, useless);
}

static void take_replies(struct redis_conn *conn)
{
    while (conn->state != CLOSED) {
        const struct redisReply *reply;
        enum result rc = redis_reader_next(conn->reader, &reply);
        if (rc != R_OK) {
            redis_pipe_answer(&conn->pipe, rc, NULL);
            redis_conn_break(conn, rc,
                             rc == R_TOO_BIG ? "a reply was too big"
                                             : redis_reader_error(conn->reader));
            return;
        }
        if (!reply)
            return;
        if (conn->state == GREETING)
            take_greeting(conn, reply);
        else
            take_reply(conn, reply);
    }
}

static void take_bytes(struct redis_conn *conn, struct slice bytes)
{
    while (bytes.len > 0 && conn->state != CLOSED) {
        size_t len = bytes.len < FEED_CHUNK ? bytes.len : FEED_CHUNK;
        redis_reader_feed(conn->reader, bytes.data, len);
        bytes = slice_from(bytes, len);
        take_replies(conn);
    }
}

static void read_all(struct redis_conn *conn)
{
    char chunk[READ_CHUNK];
    while (conn->state != CLOSED) {
        ssize_t n = redis_socket_read(conn->socket, chunk, sizeof chunk);
        if (n == REDIS_SOCKET_AGAIN)
            return;
        if (n <= 0) {
            redis_conn_break(conn, R_CLOSED,
                             n == 0 ? "Redis closed the connection"
                                    : redis_socket_error(conn->socket));
            return;
        }
        conn->heard_ms = conn->pipe.quiet_since_ms = clock_monotonic_ms();
        take_bytes(conn, slice_of(chunk, (size_t)n));
        if (conn->state != CLOSED && redis_socket_is_drained(conn->socket, (size_t)n, sizeof chunk))
            return;
    }
}

/* ---- out ---- */

/* What may leave now: the greeting first, commands only after it was answered. */
static void flush(struct redis_conn *conn)
{
    struct buf *out = conn->state == UP ? &conn->pipe.out : &conn->greeting.out;
    size_t *written = conn->state == UP ? &conn->pipe.written : &conn->greeting.written;
    while (*written < out->len) {
        ssize_t n = redis_socket_write(conn->socket, out->data + *written, out->len - *written);
        if (n == REDIS_SOCKET_AGAIN)
            return;
        if (n < 0) {
            redis_conn_break(conn, R_CLOSED, redis_socket_error(conn->socket));
            return;
        }
        *written += (size_t)n;
    }
    *written = 0;
    if (out->cap > OUT_KEEP)
        buf_free(out);
    else
        buf_clear(out);
}

static void on_flush(void *owner)
{
    struct redis_conn *conn = owner;
    enter(conn);
    if (conn->state == UP)
        flush(conn);
    leave(conn);
}

static enum result check_room(const struct redis_conn *conn, size_t argc, const struct slice *argv)
{
    size_t bytes = 0;
    for (size_t i = 0; i < argc; i++)
        bytes += argv[i].len;
    if (argc == 0)
        return R_INVALID;
    if (bytes > OUT_LIMIT)
        return R_TOO_BIG;
    size_t unsent = conn->pipe.out.len - conn->pipe.written;
    return unsent + bytes > OUT_LIMIT ? R_OVERLOADED : R_OK;
}

enum result redis_conn_send(struct redis_conn *conn, size_t argc, const struct slice *argv,
                            unsigned timeout_ms, redis_done *done, void *owner)
{
    if (conn->state == CLOSED)
        return conn->ended;
    if (conn->pipe.count >= conn->spec->max_in_flight)
        return R_OVERLOADED;
    enum result rc = check_room(conn, argc, argv);
    if (rc != R_OK)
        return rc;
    struct redis_flight flight = {done, owner, clock_monotonic_ms() + timeout_ms};
    if (redis_pipe_push(&conn->pipe, argc, argv, &flight))
        arm_deadline(conn);
    if (conn->state == UP)
        loop_later(conn->spec->loop, &conn->flush_later, on_flush, conn);
    return R_OK;
}

void redis_conn_post(struct redis_conn *conn, size_t argc, const struct slice *argv)
{
    if (conn->state == CLOSED)
        return;
    redis_pipe_format(&conn->pipe.out, argc, argv);
    if (conn->state == UP)
        loop_later(conn->spec->loop, &conn->flush_later, on_flush, conn);
}

/* ---- the beginning ---- */

static void on_connected(void *owner)
{
    struct redis_conn *conn = owner;
    enter(conn);
    conn->state = GREETING;
    redis_greeting_begin(&conn->greeting, conn->spec);
    flush(conn);
    leave(conn);
}

static void on_connect_failed(void *owner, const struct failure *why)
{
    go_down(owner, why);
}

static void on_ready(void *owner, bool writable)
{
    struct redis_conn *conn = owner;
    enter(conn);
    if (writable)
        flush(conn);
    read_all(conn);
    leave(conn);
}

static const struct redis_socket_events socket_events = {
    .connected = on_connected,
    .failed = on_connect_failed,
    .ready = on_ready,
};

struct redis_conn *redis_conn_new(const struct redis_conn_spec *spec,
                                  const struct redis_conn_events *events, void *owner)
{
    struct redis_conn *conn = mem_new(struct redis_conn);
    conn->spec = spec;
    conn->events = events;
    conn->owner = owner;
    conn->ended = R_CLOSED;
    conn->reader = redis_reader_new(REPLY_LIMIT);
    redis_pipe_init(&conn->pipe);
    conn->deadline_timer = loop_timer_new(spec->loop, on_deadline, conn);
    conn->setup_timer = loop_timer_new(spec->loop, on_setup_timeout, conn);
    return conn;
}

void redis_conn_dial(struct redis_conn *conn, const struct redis_endpoint *endpoint, unsigned turn)
{
    conn->state = DIALLING;
    loop_timer_start(conn->setup_timer, conn->spec->connect_timeout_ms);
    conn->socket = redis_socket_open(conn->spec, endpoint, turn, &socket_events, conn);
}
