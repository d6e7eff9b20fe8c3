/* http_server.c: the server around its connections: listening, the limit on connections, coarse
 * deadlines, spare memory, draining. One server belongs to one loop. */
#include "net/http_private.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/gzip.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    ACCEPT_BURST = 16, /* a turn: leaves some for the other workers on the same socket */
    ACCEPT_PAUSE_MS = 100,
    ACCEPT_REST_MAX = 1024,
    PATIENCE_MS = 1000, /* of a draining server with connections that have asked nothing yet */
    TICK_MAX_MS = 250,
    TICK_MIN_MS = 10,
};

static void on_tick(void *owner);
static void on_accept_again(void *owner);
static void on_patience_over(void *owner);

static void on_turn(void *owner)
{
    http_conn_run_turn(owner);
}

void http_server_turn(struct http_server *server)
{
    loop_later(server->loop, &server->turn, on_turn, server);
}

static void set_durations(struct http_server *server)
{
    const struct http_limits *limits = &server->limits;
    server->wait_ms[HTTP_WAIT_HEAD] = limits->head_timeout_ms;
    server->wait_ms[HTTP_WAIT_BODY] = limits->body_timeout_ms;
    server->wait_ms[HTTP_WAIT_IDLE] = limits->idle_timeout_ms;
    server->wait_ms[HTTP_WAIT_WRITE] = limits->write_timeout_ms;
    server->wait_ms[HTTP_WAIT_LINGER] = HTTP_LINGER_MS;
    server->tick_ms = TICK_MAX_MS;
    for (int i = HTTP_WAIT_HEAD; i < HTTP_WAIT_COUNT; i++) {
        if (server->wait_ms[i] / 4 < server->tick_ms)
            server->tick_ms = server->wait_ms[i] / 4;
    }
    if (server->tick_ms < TICK_MIN_MS)
        server->tick_ms = TICK_MIN_MS;
}

static void set_id_prefix(struct http_server *server)
{
    uint64_t random;
    crypto_random(&random, sizeof random);
    snprintf(server->id_prefix, sizeof server->id_prefix, "%016llx", (unsigned long long)random);
}

struct http_server *http_server_new(struct loop *loop, const struct http_limits *limits,
                                    const struct http_callbacks *callbacks)
{
    struct http_server *server = mem_new(struct http_server);
    server->loop = loop;
    server->limits = *limits;
    server->callbacks = *callbacks;
    server->tick = loop_timer_new(loop, on_tick, server);
    server->accept_again = loop_timer_new(loop, on_accept_again, server);
    server->patience = loop_timer_new(loop, on_patience_over, server);
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    server->gzip = gzip_new();
    server->accepting = true;
    set_durations(server);
    set_id_prefix(server);
    return server;
}

/* `unix:` in the list trusts every peer on a unix socket. */
static bool take_unix_word(struct slice *list)
{
    struct slice rest = *list;
    if (!slice_eq(http_trim(slice_cut(&rest, ',')), SLICE("unix:")))
        return false;
    *list = rest;
    return true;
}

enum result http_server_trust(struct http_server *server, const char *cidrs, struct failure *why)
{
    struct slice text = slice_cstr(cidrs);
    bool trusts_unix = take_unix_word(&text);
    struct cidr_list *list;
    enum result rc = cidr_list_parse(text, &list, why);
    if (rc != R_OK)
        return rc;
    cidr_list_free(server->trusted);
    server->trusted = list;
    server->trusts_unix = trusts_unix;
    return R_OK;
}

unsigned http_connection_count(const struct http_server *server)
{
    return server->conn_count;
}

/* ---- accepting ---- */

static void want_accepting(struct http_server *server, bool accepting)
{
    if (server->accepting == accepting)
        return;
    server->accepting = accepting;
    for (struct http_listener *listener = server->listeners; listener; listener = listener->next) {
        if (accepting)
            event_add(&listener->event, NULL);
        else
            event_del(&listener->event);
    }
}

static void on_accept_again(void *owner)
{
    struct http_server *server = owner;
    if (!server->draining)
        want_accepting(server, true);
}

static void pause_accepting(struct http_server *server, int error)
{
    log_warn("cannot accept connections", LOG_STR("error", strerror(error)),
             LOG_INT("connections", server->conn_count));
    want_accepting(server, false);
    loop_timer_start(server->accept_again, ACCEPT_PAUSE_MS);
}

/* Out of descriptors the waiting client would make the loop spin: with the spare one it is taken
 * and turned away. */
static void shed_one(struct http_server *server, int listening_fd, int error)
{
    if (server->spare_fd >= 0) {
        close(server->spare_fd);
        int fd = accept4(listening_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            close(fd);
        server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    pause_accepting(server, error);
}

/* False: nothing more to accept now. */
static bool accept_one(struct http_listener *listener)
{
    struct http_server *server = listener->server;
    struct sockaddr_storage from = {0};
    socklen_t from_len = sizeof from;
    int fd =
        accept4(listener->fd, (struct sockaddr *)&from, &from_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        unsigned max = server->limits.max_connections;
        /* A few more are let in to be told so; beyond them the door is simply shut. */
        if (server->conn_count >= max + max / 8 + 64 ||
            (server->conn_count >= max && listener->tls))
            close(fd);
        else
            http_conn_accept(listener, fd, &from, server->conn_count >= max);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE)
        shed_one(server, listener->fd, errno);
    else if (errno == ENOBUFS || errno == ENOMEM)
        pause_accepting(server, errno);
    return errno == ECONNABORTED || errno == EINTR;
}

static void on_connection(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct http_listener *listener = arg;
    listener->server->now_ns = clock_monotonic_ns();
    for (int i = 0; i < ACCEPT_BURST && accept_one(listener); i++)
        continue;
}

/* Accepted connections inherit these; on a unix socket they fail and do not matter. */
static void set_options(int fd)
{
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
}

void http_listen(struct http_server *server, int fd, int listener_index, struct tls_context *tls)
{
    struct http_listener *listener = mem_new(struct http_listener);
    listener->server = server;
    listener->fd = fd;
    listener->index = listener_index;
    listener->tls = tls;
    listener->next = server->listeners;
    server->listeners = listener;
    set_options(fd);
    event_assign(&listener->event, loop_base(server->loop), fd, EV_READ | EV_PERSIST, on_connection,
                 listener);
    if (server->accepting)
        event_add(&listener->event, NULL);
}

/* ---- deadlines ---- */

void http_server_tick(struct http_server *server)
{
    if (server->ticking)
        return;
    server->ticking = true;
    loop_timer_start(server->tick, server->tick_ms);
}

static void on_tick(void *owner)
{
    struct http_server *server = owner;
    server->ticking = false;
    server->now_ns = clock_monotonic_ns();
    for (int i = HTTP_WAIT_HEAD; i < HTTP_WAIT_COUNT; i++) {
        struct http_conn *conn;
        while ((conn = server->waiting[i].first) && conn->deadline_ns <= server->now_ns)
            http_conn_expire(conn);
    }
    if (server->conn_count)
        http_server_tick(server);
}

/* ---- the end ---- */

static void on_drained(void *owner)
{
    struct http_server *server = owner;
    if (server->on_drained)
        server->on_drained(server->drained_owner);
}

void http_server_conn_gone(struct http_server *server)
{
    server->conn_count--;
    if (server->draining && server->conn_count == 0)
        loop_later(server->loop, &server->drained, on_drained, server);
}

static void wake_all(struct http_server *server)
{
    for (int i = 0; i < HTTP_WAIT_COUNT; i++) {
        for (struct http_conn *conn = server->waiting[i].first; conn; conn = conn->next)
            http_conn_wake(conn);
    }
}

static void on_patience_over(void *owner)
{
    struct http_server *server = owner;
    server->is_patient = false;
    wake_all(server);
}

/* Who has connected before we stopped listening is still let in. */
static void accept_the_rest(struct http_server *server)
{
    for (struct http_listener *listener = server->listeners; listener; listener = listener->next) {
        for (int i = 0; i < ACCEPT_REST_MAX && server->accepting && accept_one(listener); i++)
            continue;
    }
}

void http_server_drain(struct http_server *server, void (*drained)(void *owner), void *owner)
{
    server->on_drained = drained;
    server->drained_owner = owner;
    if (server->draining)
        return;
    server->now_ns = clock_monotonic_ns();
    accept_the_rest(server);
    want_accepting(server, false);
    loop_timer_stop(server->accept_again);
    server->draining = server->is_patient = true;
    loop_timer_start(server->patience, PATIENCE_MS);
    wake_all(server);
    if (server->conn_count == 0)
        loop_later(server->loop, &server->drained, on_drained, server);
}

/* Requests that owners still hold keep the last pieces alive until http_release(). */
void http_server_release_memory(struct http_server *server)
{
    if (!server->freed || server->live_requests)
        return;
    free(server);
}

static void free_spares(struct http_server *server)
{
    while (server->spare_buf_count)
        buf_free(&server->spare_bufs[--server->spare_buf_count]);
    while (server->spare_requests) {
        struct http_request *req = server->spare_requests;
        server->spare_requests = req->next;
        buf_free(&req->body);
        free(req);
    }
    server->spare_request_count = 0;
}

void http_server_free(struct http_server *server)
{
    want_accepting(server, false);
    loop_later_cancel(&server->turn);
    for (int i = 0; i < HTTP_WAIT_COUNT; i++) {
        while (server->waiting[i].first)
            http_conn_kill(server->waiting[i].first);
    }
    loop_later_cancel(&server->drained);
    while (server->listeners) {
        struct http_listener *listener = server->listeners;
        server->listeners = listener->next;
        free(listener);
    }
    loop_timer_free(server->tick);
    loop_timer_free(server->accept_again);
    loop_timer_free(server->patience);
    close(server->spare_fd);
    cidr_list_free(server->trusted);
    gzip_free(server->gzip);
    free_spares(server);
    server->freed = true;
    http_server_release_memory(server);
}

/* ---- shared by connections ---- */

void http_buf_take(struct http_server *server, struct buf *buf)
{
    if (buf->cap == 0 && server->spare_buf_count)
        *buf = server->spare_bufs[--server->spare_buf_count];
}

void http_buf_give(struct http_server *server, struct buf *buf)
{
    buf_clear(buf);
    if (buf->cap == 0)
        return;
    if (server->spare_buf_count < HTTP_SPARE_BUFS && buf->cap <= HTTP_SPARE_BUF_BYTES) {
        server->spare_bufs[server->spare_buf_count++] = *buf;
        *buf = (struct buf){0};
    } else {
        buf_free(buf);
    }
}

struct slice http_date_line(struct http_server *server)
{
    time_t now = clock_wall_ms() / 1000;
    if (now != server->date_s) {
        struct tm tm;
        server->date_s = now;
        server->date_len = strftime(server->date, sizeof server->date,
                                    "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&now, &tm));
    }
    return slice_of(server->date, server->date_len);
}
