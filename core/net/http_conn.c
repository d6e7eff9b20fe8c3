/* http_conn.c: one connection: reads, feeds requests, writes answers, decides when to close.
 *
 * Everything happens in three steps: take what came (receive), do what can be done with it (pump:
 * parse, call the owner, write), and say what to wait for next (settle). A connection is freed only
 * at the very end of the last. */
#include "net/http_private.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/tls.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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

struct http_request *http_conn_pop_answered(struct http_conn *conn)
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
void http_conn_end(struct http_conn *conn)
{
    if (conn->dead)
        return;
    uint64_t sent = conn->sent_before + conn->out_sent;
    struct http_request *req;
    close_socket(conn);
    while ((req = http_conn_pop_answered(conn)))
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
    http_conn_end(conn);
}

static void forget(struct http_request *req)
{
    req->conn = NULL;
    req->finished = true;
    if (!req->owned)
        http_request_recycle(req);
}

void http_conn_kill(struct http_conn *conn)
{
    struct http_request *req;
    close_socket(conn);
    while ((req = http_conn_pop_answered(conn)))
        forget(req);
    if (conn->request)
        forget(conn->request);
    conn->server->conn_count--;
    free(conn);
}

void http_conn_set_client(struct http_conn *conn, const struct cidr_address *client)
{
    const struct http_server *server = conn->server;
    conn->client = *client;
    cidr_address_text(client, conn->client_text);
    conn->believed = server->trusted && cidr_list_has(server->trusted, client);
}

/* A peer on a unix socket counts as 127.0.0.1, the address it would have without one. The address comes from
 * accept(): of a connection that was reset since, getpeername() no longer knows it. */
static void set_peer(struct http_conn *conn, const struct sockaddr_storage *from)
{
    struct cidr_address peer = {{[10] = 0xff, [11] = 0xff}};

    conn->is_unix = from->ss_family == AF_UNIX;
    if (conn->is_unix)
        memcpy(peer.bytes + 12, (uint8_t[]){127, 0, 0, 1}, 4);
    else if (from->ss_family == AF_INET)
        memcpy(peer.bytes + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
    else if (from->ss_family == AF_INET6)
        memcpy(peer.bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
    http_conn_set_client(conn, &peer);
    if (conn->is_unix)
        conn->believed = conn->server->trusts_unix;
    conn->is_local = cidr_address_is_loopback(&peer);
    conn->proxy_pending = conn->believed;
}

void http_conn_refuse(struct http_conn *conn, struct http_refusal refusal)
{
    static const struct http_header retry = {{"Retry-After", 11}, {"1", 1}};
    static const struct http_header none;
    if (!conn->request)
        conn->request = http_request_new(conn);
    http_reply_refusal(conn->request, refusal, refusal.status == 503 ? &retry : &none);
    conn->linger = true;
}

void http_conn_accept(struct http_listener *listener, int fd, const struct sockaddr_storage *from,
                      bool over_limit)
{
    struct http_conn *conn = mem_new(struct http_conn);
    conn->server = listener->server;
    conn->listener = listener;
    conn->fd = fd;
    conn->received_ns = conn->server->now_ns;
    link_wait(conn, HTTP_WAIT_HEAD);
    conn->server->conn_count++;
    http_server_tick(conn->server);
    set_peer(conn, from);
    if (listener->tls) {
        conn->tls = tls_new(listener->tls, fd);
        conn->handshaking = true;
    }
    set_interest(conn, EV_READ | EV_CLOSED);
    if (over_limit)
        http_conn_refuse(conn, (struct http_refusal){503, "overloaded"});
}

/* ---- what next ---- */

/* Parse, answer and write until nothing more can be done without waiting. */
static void pump(struct http_conn *conn)
{
    for (;;) {
        size_t stored = conn->in.len;
        bool tried = stored && http_input_is_wanted(conn);
        if (tried)
            http_input_consume_stored(conn);
        http_output_grant_continue(conn);
        http_output_flush(conn);
        bool stuck = tried && conn->in.len == stored;
        if (conn->in.len == 0 || stuck || !http_input_is_wanted(conn))
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
        http_conn_end(conn);
        return;
    }
    shutdown(conn->fd, SHUT_WR);
    http_buf_give(conn->server, &conn->in);
    conn->lingering = true;
}

/* A request that is already on its way to a draining server is still served; the first one of a new
 * connection is given a moment to set out. */
static bool is_idle_for_good(const struct http_conn *conn)
{
    bool is_new = conn->sent_before == 0 && conn->out_sent == 0;
    char byte;

    if (is_new && conn->server->is_patient)
        return false;
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
    bool reads = !conn->eof && (conn->in.len < HTTP_IN_MAX || http_input_is_wanted(conn));
    return (short)((reads ? EV_READ | EV_CLOSED : 0) | (http_conn_unsent(conn) ? EV_WRITE : 0));
}

/* The rest of the body will never come, and all answers before it are sent. */
static bool is_cut_short(const struct http_conn *conn)
{
    return conn->eof && conn->request && conn->request->state == HTTP_READING &&
           conn->in.len == 0 && http_conn_unsent(conn) == 0;
}

static void settle(struct http_conn *conn)
{
    if (conn->dead)
        return;
    if (conn->request && conn->request->state == HTTP_ABORTED) {
        end_with_reset(conn);
        return;
    }
    if (is_cut_short(conn)) {
        http_conn_end(conn);
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
    http_conn_end(conn);
    return false;
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
        ready = http_input_take_proxy(conn);
    if (ready && conn->handshaking)
        ready = shake_hands(conn);
    if (ready && what & (EV_READ | EV_CLOSED))
        http_input_receive(conn, what & EV_CLOSED);
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
        http_conn_refuse(conn, (struct http_refusal){408, "request_timeout"});
    else
        http_conn_end(conn);
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
