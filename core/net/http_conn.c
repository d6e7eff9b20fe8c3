/* http_conn.c: one connection: reads, feeds requests, writes answers, decides when to close.
 *
 * Everything happens in three steps: take what came (receive), do what can be done with it (pump:
 * parse, call the owner, write), and say what to wait for next (settle). A connection is freed only
 * at the very end of the last. */
#include "net/http_private.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/http_forwarded.h"
#include "net/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* A FIN this soon after a request is a script that shut down its sending side (`printf … | nc`),
 * not a person who lost interest: TCP cannot tell the two apart. */
static const int64_t half_close_ns = 50 * 1000000;

static void on_event(evutil_socket_t fd, short what, void *arg);

/* ---- lists of deadlines ---- */

static void unlink_wait(struct http_conn *conn)
{
    struct http_conn_list *list = &conn->server->waiting[conn->wait];
    *(conn->prev ? &conn->prev->next : &list->first) = conn->next;
    *(conn->next ? &conn->next->prev : &list->last) = conn->prev;
}

static void link_wait(struct http_conn *conn, enum http_wait wait)
{
    struct http_conn_list *list = &conn->server->waiting[wait];
    conn->wait = (uint8_t)wait;
    conn->deadline_ns = conn->server->now_ns + conn->server->wait_ms[wait] * INT64_C(1000000);
    conn->prev = list->last;
    conn->next = NULL;
    *(list->last ? &list->last->next : &list->first) = conn;
    list->last = conn;
}

static void restart_wait(struct http_conn *conn, enum http_wait wait)
{
    conn->new_wait = false;
    unlink_wait(conn);
    link_wait(conn, wait);
}

/* ---- birth and death ---- */

static void set_interest(struct http_conn *conn, short interest)
{
    if (interest == conn->interest)
        return;
    if (conn->interest)
        event_del(&conn->event);
    conn->interest = interest;
    if (interest == 0)
        return;
    event_assign(&conn->event, loop_base(conn->server->loop), conn->fd, interest | EV_PERSIST,
                 on_event, conn);
    event_add(&conn->event, NULL);
}

static void close_socket(struct http_conn *conn)
{
    set_interest(conn, 0);
    tls_free(conn->tls);
    conn->tls = NULL;
    close(conn->fd);
    conn->dead = true;
    unlink_wait(conn);
    http_buf_give(conn->server, &conn->in);
    http_buf_give(conn->server, &conn->out);
}

/* The answer of `req` will not be delivered; `sent` is how far the connection's output got. */
static void fail_request(struct http_request *req, uint64_t sent)
{
    struct http_callbacks *callbacks = &req->server->callbacks;
    bool begun = req->status != 0 && sent > req->out_begin;
    uint64_t bytes = begun ? sent - req->out_begin : 0;
    req->conn = NULL;
    if (req->owned && req->state != HTTP_ABORTED && callbacks->on_gone)
        callbacks->on_gone(callbacks->owner, req);
    http_request_finish(req, begun ? req->status : 0, bytes);
}

static struct http_request *pop_answered(struct http_conn *conn)
{
    struct http_request *req = conn->answered_first;
    if (req) {
        conn->answered_first = req->next;
        if (!req->next)
            conn->answered_last = NULL;
    }
    return req;
}

/* Close at once, whatever is under way. */
static void end(struct http_conn *conn)
{
    if (conn->dead)
        return;
    uint64_t sent = conn->sent_before + conn->out_sent;
    struct http_request *req;
    close_socket(conn);
    while ((req = pop_answered(conn)))
        fail_request(req, sent);
    if ((req = conn->request)) {
        conn->request = NULL;
        fail_request(req, sent);
    }
    http_server_conn_gone(conn->server);
}

static void end_with_reset(struct http_conn *conn)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    end(conn);
}

static void forget(struct http_request *req)
{
    req->conn = NULL;
    req->owned ? (void)(req->finished = true) : http_request_recycle(req);
}

void http_conn_kill(struct http_conn *conn)
{
    struct http_request *req;
    close_socket(conn);
    while ((req = pop_answered(conn)))
        forget(req);
    if (conn->request)
        forget(conn->request);
    conn->server->conn_count--;
    free(conn);
}

static void set_client(struct http_conn *conn, const struct cidr_address *client)
{
    const struct http_server *server = conn->server;
    conn->client = *client;
    cidr_address_text(client, conn->client_text);
    conn->believed = server->trusted && cidr_list_has(server->trusted, client);
}

/* A peer on a unix socket counts as 127.0.0.1, the address it would have without one. */
static void set_peer(struct http_conn *conn)
{
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof storage;
    struct cidr_address peer = {{[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};

    getpeername(conn->fd, (struct sockaddr *)&storage, &len);
    if (storage.ss_family == AF_INET)
        memcpy(peer.bytes + 12, &((struct sockaddr_in *)&storage)->sin_addr, 4);
    else if (storage.ss_family == AF_INET6)
        memcpy(peer.bytes, &((struct sockaddr_in6 *)&storage)->sin6_addr, 16);
    else
        conn->is_unix = true;
    set_client(conn, &peer);
    if (conn->is_unix)
        conn->believed = conn->server->trusts_unix;
    conn->is_local = cidr_address_is_loopback(&peer);
    conn->proxy_pending = conn->believed;
}

static void refuse(struct http_conn *conn, struct http_refusal refusal)
{
    static const struct http_header retry = {{"Retry-After", 11}, {"1", 1}};
    static const struct http_header none;
    if (!conn->request)
        conn->request = http_request_new(conn);
    http_reply_refusal(conn->request, refusal, refusal.status == 503 ? &retry : &none);
    conn->linger = true;
}

void http_conn_accept(struct http_listener *listener, int fd, bool over_limit)
{
    struct http_conn *conn = mem_new(struct http_conn);
    conn->server = listener->server;
    conn->listener = listener;
    conn->fd = fd;
    conn->received_ns = conn->server->now_ns;
    link_wait(conn, HTTP_WAIT_HEAD);
    conn->server->conn_count++;
    http_server_tick(conn->server);
    set_peer(conn);
    if (!conn->is_unix)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (listener->tls) {
        conn->tls = tls_new(listener->tls, fd);
        conn->handshaking = true;
    }
    set_interest(conn, EV_READ | EV_CLOSED);
    if (over_limit)
        refuse(conn, (struct http_refusal){503, "overloaded"});
}

/* ---- bytes in: heads and bodies ---- */

static bool wants_input(const struct http_conn *conn)
{
    return !conn->dead && !conn->closing && http_conn_unsent(conn) < HTTP_OUT_HIGH &&
           (!conn->request || conn->request->state == HTTP_READING);
}

static void dispatch(struct http_conn *conn)
{
    struct http_request *req = conn->request;
    req->state = HTTP_WORKING;
    req->owned = true;
    conn->server->callbacks.on_request(conn->server->callbacks.owner, req);
}

/* The head is in the request: let the owner see it, then find out about a body. */
static void begin_body(struct http_conn *conn)
{
    struct http_request *req = conn->request;
    const struct http_callbacks *callbacks = &conn->server->callbacks;

    if (callbacks->on_head)
        callbacks->on_head(callbacks->owner, req);
    if (conn->request != req || req->state != HTTP_READING)
        return;
    if (req->head.content_length > req->max_body)
        refuse(conn, (struct http_refusal){413, "body_too_large"});
    else if (!req->head.chunked && req->head.content_length == 0)
        dispatch(conn);
    else if (req->head.expects_continue)
        req->continue_due = true;
}

/* An empty line before a request is tolerated (RFC 9112, 2.2). */
static size_t count_blank(struct slice data)
{
    size_t n = 0;
    while (data.len - n >= 2 && data.data[n] == '\r' && data.data[n + 1] == '\n')
        n += 2;
    return n;
}

static size_t take_head(struct http_conn *conn, struct slice data)
{
    struct http_refusal refusal;
    if (conn->scan.lines == 0) {
        size_t blank = count_blank(data);
        if (blank)
            return blank;
        if (data.len == 1 && *data.data == '\r')
            return 0;
    }
    size_t len = http_scan(&conn->scan, data, &conn->server->limits, &refusal);
    if (len == 0 && !refusal.status)
        return 0;
    unsigned lines = conn->scan.lines;
    conn->scan = (struct http_scan){0};
    conn->new_wait = true;
    conn->request = http_request_new(conn);
    if (!refusal.status)
        refusal = http_request_take_head(conn->request, slice_of(data.data, len), lines);
    conn->received_ns = conn->server->now_ns;
    if (refusal.status)
        refuse(conn, refusal);
    else
        begin_body(conn);
    return len ? len : data.len;
}

static size_t take_sized(struct http_conn *conn, struct slice data)
{
    struct http_request *req = conn->request;
    size_t left = (size_t)req->head.content_length - req->body.len;
    size_t n = data.len < left ? data.len : left;
    buf_append(&req->body, data.data, n);
    if (n == left)
        dispatch(conn);
    return n;
}

static size_t take_chunked(struct http_conn *conn, struct slice data)
{
    struct http_request *req = conn->request;
    size_t used;
    struct slice piece;
    size_t max_aside = conn->server->limits.max_header_bytes;

    switch (http_chunk_next(&req->chunk, data, max_aside, &used, &piece)) {
    case HTTP_CHUNK_MORE:
        break;
    case HTTP_CHUNK_PIECE:
        if (piece.len > req->max_body - req->body.len)
            refuse(conn, (struct http_refusal){413, "body_too_large"});
        else
            buf_append_slice(&req->body, piece);
        break;
    case HTTP_CHUNK_END:
        dispatch(conn);
        break;
    case HTTP_CHUNK_BAD:
        refuse(conn, (struct http_refusal){400, "bad_request"});
        break;
    case HTTP_CHUNK_TOO_BIG:
        refuse(conn, (struct http_refusal){431, "headers_too_large"});
        break;
    }
    return used;
}

/* Gives how much of `data` was used up. */
static size_t consume(struct http_conn *conn, struct slice data)
{
    size_t used = 0;
    while (used < data.len && wants_input(conn)) {
        struct slice rest = slice_from(data, used);
        size_t n = !conn->request                ? take_head(conn, rest)
                   : conn->request->head.chunked ? take_chunked(conn, rest)
                                                 : take_sized(conn, rest);
        if (n == 0)
            break;
        used += n;
    }
    return used;
}

static void consume_stored(struct http_conn *conn)
{
    size_t used = consume(conn, buf_slice(&conn->in));
    buf_consume(&conn->in, used);
    if (conn->in.len == 0)
        http_buf_give(conn->server, &conn->in);
}

static void store(struct http_conn *conn, struct slice data)
{
    if (data.len == 0)
        return;
    http_buf_take(conn->server, &conn->in);
    buf_append_slice(&conn->in, data);
}

static void on_bytes(struct http_conn *conn, struct slice data)
{
    if (conn->lingering) {
        conn->lingered += (unsigned)data.len;
        if (conn->lingered > HTTP_LINGER_BYTES)
            end(conn);
        return;
    }
    if (conn->closing) {
        conn->linger = true;
        return;
    }
    if (conn->in.len == 0) {
        if (!conn->request)
            conn->received_ns = conn->server->now_ns;
        if (wants_input(conn))
            data = slice_from(data, consume(conn, data));
    }
    store(conn, data);
}

/* Has the client of an unanswered request left, or did it only finish sending? */
static bool has_left(const struct http_conn *conn)
{
    struct pollfd state = {.fd = conn->fd};
    poll(&state, 1, 0);
    if (state.revents & (POLLHUP | POLLERR))
        return true;
    if (conn->is_unix || conn->peer_finished || conn->in.len)
        return false;
    return conn->server->now_ns - conn->request->started_ns >= half_close_ns;
}

static void on_eof(struct http_conn *conn)
{
    conn->eof = true;
    if (conn->lingering || (conn->request && conn->request->state == HTTP_READING))
        end(conn);
    else if (conn->request && has_left(conn))
        end(conn);
}

/* False: wait for more of the PROXY header. Only its own bytes are read, so that TLS may follow. */
static bool take_proxy(struct http_conn *conn)
{
    char peeked[2048 + 16];
    struct http_proxy proxy;
    ssize_t n = recv(conn->fd, peeked, sizeof peeked, MSG_PEEK);
    if (n <= 0)
        return n == 0 || errno != EAGAIN;
    size_t known = conn->in.len, use = (size_t)n;
    buf_append(&conn->in, peeked, use);
    enum http_proxy_result result = http_proxy_parse(buf_slice(&conn->in), &proxy);
    conn->in.len = known;
    if (result == HTTP_PROXY_BAD || (result == HTTP_PROXY_NONE && known && conn->tls)) {
        end(conn);
        return false;
    }
    conn->proxy_pending = result == HTTP_PROXY_MORE;
    if (result == HTTP_PROXY_NONE)
        return true;
    if (result == HTTP_PROXY_DONE)
        use = proxy.len - known;
    n = recv(conn->fd, conn->in.data + known, use, 0);
    conn->in.len += n > 0 ? (size_t)n : 0;
    if (result == HTTP_PROXY_MORE)
        return false;
    http_buf_give(conn->server, &conn->in);
    conn->is_local = conn->is_local && !proxy.has_address;
    if (proxy.has_address)
        set_client(conn, &proxy.address);
    return true;
}

static bool shake_hands(struct http_conn *conn)
{
    switch (tls_handshake(conn->tls)) {
    case TLS_SERVER_DONE:
        conn->handshaking = false;
        return true;
    case TLS_SERVER_WANTS_READ:
        set_interest(conn, EV_READ | EV_CLOSED);
        return false;
    case TLS_SERVER_WANTS_WRITE:
        set_interest(conn, EV_WRITE);
        return false;
    case TLS_SERVER_FAILED:
        break;
    }
    end(conn);
    return false;
}

static void receive(struct http_conn *conn, bool is_end_in_sight)
{
    char *chunk = conn->server->chunk;
    ssize_t n = conn->tls ? tls_read(conn->tls, chunk, HTTP_CHUNK_BYTES)
                          : recv(conn->fd, chunk, HTTP_CHUNK_BYTES, 0);
    if (n > 0) {
        conn->peer_finished = is_end_in_sight;
        on_bytes(conn, slice_of(chunk, (size_t)n));
    } else if (n == 0) {
        on_eof(conn);
    } else if (errno != EAGAIN && errno != EINTR) {
        end(conn);
    }
}

/* ---- bytes out ---- */

static void finish_sent(struct http_conn *conn)
{
    uint64_t sent = conn->sent_before + conn->out_sent;
    while (!conn->dead && conn->answered_first && conn->answered_first->out_end <= sent) {
        struct http_request *req = pop_answered(conn);
        req->conn = NULL;
        http_request_finish(req, req->status, req->out_end - req->out_begin);
    }
}

static void tell_drained(struct http_conn *conn)
{
    struct http_request *req = conn->request;
    if (!req || req->state != HTTP_STREAMING || !req->over_high ||
        http_conn_unsent(conn) > HTTP_OUT_LOW)
        return;
    req->over_high = false;
    if (req->on_drain)
        req->on_drain(req->drain_owner);
}

static void forget_sent(struct http_conn *conn)
{
    if (conn->out_sent < conn->out.len && conn->out_sent < HTTP_OUT_LOW)
        return;
    conn->sent_before += conn->out_sent;
    buf_consume(&conn->out, conn->out_sent);
    conn->out_sent = 0;
    if (conn->out.len == 0)
        http_buf_give(conn->server, &conn->out);
}

/* The client waits for leave to send its body; once some of it is here there is no need to say so.
 */
static void grant_continue(struct http_conn *conn)
{
    static const struct slice go_on = {"HTTP/1.1 100 Continue\r\n\r\n", 25};
    struct http_request *req = conn->request;
    if (!req || !req->continue_due || req->state != HTTP_READING)
        return;
    req->continue_due = false;
    if (req->body.len || req->chunk.state || req->chunk.digits)
        return;
    http_buf_take(conn->server, &conn->out);
    buf_append_slice(&conn->out, go_on);
}

static void flush(struct http_conn *conn)
{
    while (!conn->dead && http_conn_unsent(conn)) {
        const char *data = conn->out.data + conn->out_sent;
        size_t len = http_conn_unsent(conn);
        ssize_t n =
            conn->tls ? tls_write(conn->tls, data, len) : send(conn->fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            end(conn);
            return;
        }
        conn->out_sent += (size_t)n;
        if (conn->wait == HTTP_WAIT_WRITE)
            conn->new_wait = true;
    }
    if (conn->dead || conn->out_sent == 0)
        return;
    finish_sent(conn);
    forget_sent(conn);
    tell_drained(conn);
}

/* ---- what next ---- */

/* Parse, answer and write until nothing more can be done without waiting. */
static void pump(struct http_conn *conn)
{
    for (;;) {
        size_t stored = conn->in.len;
        bool tried = stored && wants_input(conn);
        if (tried)
            consume_stored(conn);
        grant_continue(conn);
        flush(conn);
        bool stuck = tried && conn->in.len == stored;
        if (conn->in.len == 0 || stuck || !wants_input(conn))
            return;
    }
}

/* All answers are sent and no more will come. */
static void finish(struct http_conn *conn)
{
    bool may_still_send = conn->linger || conn->in.len;
    if (conn->tls)
        tls_shutdown(conn->tls);
    if (conn->eof || !may_still_send) {
        end(conn);
        return;
    }
    shutdown(conn->fd, SHUT_WR);
    http_buf_give(conn->server, &conn->in);
    conn->lingering = true;
}

/* A request that is already on its way to a draining server is still served. */
static bool is_idle_for_good(const struct http_conn *conn)
{
    char byte;
    return conn->in.len == 0 && recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

static enum http_wait next_wait(const struct http_conn *conn)
{
    if (conn->lingering)
        return HTTP_WAIT_LINGER;
    if (http_conn_unsent(conn))
        return HTTP_WAIT_WRITE;
    if (conn->request)
        return conn->request->state == HTTP_READING ? HTTP_WAIT_BODY : HTTP_WAIT_OWNER;
    return conn->in.len || conn->handshaking || conn->proxy_pending ? HTTP_WAIT_HEAD
                                                                    : HTTP_WAIT_IDLE;
}

static short next_interest(const struct http_conn *conn)
{
    bool reads = !conn->eof && (conn->in.len < HTTP_IN_MAX || wants_input(conn));
    return (short)((reads ? EV_READ | EV_CLOSED : 0) | (http_conn_unsent(conn) ? EV_WRITE : 0));
}

static void settle(struct http_conn *conn)
{
    if (conn->dead)
        return;
    if (conn->request && conn->request->state == HTTP_ABORTED) {
        end_with_reset(conn);
        return;
    }
    bool is_quiet = !conn->request && http_conn_unsent(conn) == 0 && !conn->lingering;
    if (is_quiet &&
        (conn->closing || conn->eof || (conn->server->draining && is_idle_for_good(conn))))
        finish(conn);
    if (conn->dead)
        return;
    enum http_wait wait = next_wait(conn);
    if (wait != conn->wait || conn->new_wait)
        restart_wait(conn, wait);
    if (!conn->handshaking)
        set_interest(conn, next_interest(conn));
}

static void leave(struct http_conn *conn)
{
    settle(conn);
    conn->busy = false;
    if (conn->dead && !conn->queued)
        free(conn);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct http_conn *conn = arg;
    bool ready = true;
    conn->busy = true;
    conn->server->now_ns = clock_monotonic_ns();
    if (conn->proxy_pending)
        ready = take_proxy(conn);
    if (ready && conn->handshaking)
        ready = shake_hands(conn);
    if (ready && what & (EV_READ | EV_CLOSED))
        receive(conn, what & EV_CLOSED);
    pump(conn);
    leave(conn);
}

void http_conn_wake(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    if (conn->busy || conn->queued || conn->dead)
        return;
    conn->queued = true;
    conn->turn_next = NULL;
    *(server->turn_first ? &server->turn_last->turn_next : &server->turn_first) = conn;
    server->turn_last = conn;
    http_server_turn(server);
}

void http_conn_run_turn(struct http_server *server)
{
    struct http_conn *conn = server->turn_first;
    server->turn_first = server->turn_last = NULL;
    server->now_ns = clock_monotonic_ns();
    while (conn) {
        struct http_conn *next = conn->turn_next;
        conn->queued = false;
        conn->busy = true;
        pump(conn);
        leave(conn);
        conn = next;
    }
}

void http_conn_expire(struct http_conn *conn)
{
    bool has_begun = conn->in.len && !conn->proxy_pending;
    conn->busy = true;
    if (conn->wait == HTTP_WAIT_BODY || (conn->wait == HTTP_WAIT_HEAD && has_begun))
        refuse(conn, (struct http_refusal){408, "request_timeout"});
    else
        end(conn);
    pump(conn);
    leave(conn);
}

void http_conn_answered(struct http_conn *conn, bool close)
{
    struct http_request *req = conn->request;
    req->out_end = conn->sent_before + conn->out.len;
    req->state = HTTP_ANSWERED;
    req->next = NULL;
    *(conn->answered_last ? &conn->answered_last->next : &conn->answered_first) = req;
    conn->answered_last = req;
    conn->request = NULL;
    if (close) {
        conn->closing = true;
        /* A client that asked for the end is not sending any more. */
        conn->linger |= req->head.keep_alive || !req->owned;
    }
    http_conn_wake(conn);
}
