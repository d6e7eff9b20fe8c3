/* http_harness.h: a real server on a real loop and clients on real sockets, in one thread. Tests say what they wait
 * for; nothing sleeps. The owner answers by path:
 *
 *     /hold…    kept in `held` until the test answers it          /echo   the body
 *     /stream…  a stream is begun and kept in `held`              /early  answered in on_head
 *     /big…     may have 4 MiB of body                            else    "ok" */
#pragma once

#include "base/buf.h"
#include "base/mem.h"
#include "net/http.h"
#include "net/listener.h"
#include "net/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum { HELD_MAX = 16, CLIENTS_MAX = 64, PATIENCE_MS = 60000 };

static struct http_limits limits;
static struct loop *loop;
static struct http_server *server;
static struct http_request *held[HELD_MAX];
static unsigned held_count, heads, requests, gone, done, drained;
static int last_status;
static uint64_t last_bytes_out;
static char last_address[64];
static int listening_fd, port;

struct client {
    int fd;
    struct buf got;
    bool eof, reset;
};
static struct client *clients[CLIENTS_MAX];

/* ---- the owner ---- */

static inline void answer_text(struct http_request *req, struct slice text)
{
    static const struct http_header type = {{"Content-Type", 12}, {"text/plain", 10}};
    http_reply(req, &(struct http_answer){
                        .status = 200, .headers = &type, .header_count = 1, .body = text});
}

static inline void on_head(void *owner, struct http_request *req)
{
    (void)owner;
    heads++;
    if (slice_starts(http_path(req), SLICE("/big")))
        http_set_max_body(req, 4 * 1024 * 1024);
    if (slice_eq(http_path(req), SLICE("/early")))
        http_reply_problem(req, 401, "unauthorized");
}

static inline void on_request(void *owner, struct http_request *req)
{
    (void)owner;
    requests++;
    if (slice_starts(http_path(req), SLICE("/stream")))
        http_stream_begin(req, &(struct http_answer){.status = 200});
    if (slice_starts(http_path(req), SLICE("/hold")) ||
        slice_starts(http_path(req), SLICE("/stream"))) {
        held[held_count++] = req;
        return;
    }
    answer_text(req, slice_eq(http_path(req), SLICE("/echo")) ? http_body(req) : SLICE("ok"));
    http_release(req);
}

static inline void on_gone(void *owner, struct http_request *req)
{
    (void)owner, (void)req;
    gone++;
}

static inline void on_done(void *owner, struct http_request *req, int status, uint64_t bytes_out)
{
    (void)owner;
    snprintf(last_address, sizeof last_address, "%.*s", (int)http_address(req).len,
             http_address(req).data);
    done++;
    last_status = status;
    last_bytes_out = bytes_out;
}

static inline void on_drained(void *owner)
{
    (void)owner;
    drained++;
}

/* ---- start and stop ---- */

static inline int set_up(void **state)
{
    (void)state;
    limits = (struct http_limits){
        .max_url_bytes = 8192,
        .max_header_bytes = 32768,
        .max_headers = 100,
        .max_body_bytes = 65536,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 30000,
        .idle_timeout_ms = 60000,
        .write_timeout_ms = 30000,
        .max_connections = 100,
    };
    held_count = heads = requests = gone = done = drained = 0;
    last_status = -1;
    return 0;
}

static inline void start_server(void)
{
    static const struct http_callbacks callbacks = {
        .on_head = on_head, .on_request = on_request, .on_gone = on_gone, .on_done = on_done};
    loop = loop_new();
    server = http_server_new(loop, &limits, &callbacks);
}

static inline void start_tcp(void)
{
    struct listen_address address;
    struct failure why;
    unsigned count;
    start_server();
    assert_int_equal(listener_parse("127.0.0.1:0", &address, 1, &count, &why), R_OK);
    assert_int_equal(listener_open(&address, &listening_fd, &why), R_OK);
    port = listener_port(listening_fd);
    http_listen(server, listening_fd, 7, NULL);
}

static inline void close_client(struct client *client)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i] == client)
            clients[i] = NULL;
    }
    if (client->fd >= 0)
        close(client->fd);
    buf_free(&client->got);
    free(client);
}

static inline int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i])
            close_client(clients[i]);
    }
    http_server_free(server);
    close(listening_fd);
    loop_free(loop);
    return 0;
}

/* ---- clients ---- */

static inline struct client *add_client(int fd)
{
    struct client *client = mem_new(struct client);
    client->fd = fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        if (!clients[i]) {
            clients[i] = client;
            return client;
        }
    }
    fail_msg("too many clients");
    return NULL;
}

static inline int connect_tcp_fd(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline struct client *connect_client(void)
{
    return add_client(connect_tcp_fd());
}

static inline void read_clients(void)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = clients[i];
        if (!client || client->eof || client->reset)
            continue;
        ssize_t n = recv(client->fd, buf_reserve(&client->got, 65536), 65536, MSG_DONTWAIT);
        if (n > 0)
            client->got.len += (size_t)n;
        else if (n == 0)
            client->eof = true;
        else if (errno == ECONNRESET)
            client->reset = true;
    }
}

static inline int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* One turn of the loop, at most 5 ms long. */
static inline void turn(bool reads)
{
    struct timeval pause = {.tv_usec = 5000};
    event_base_loopexit(loop_base(loop), &pause);
    event_base_loop(loop_base(loop), EVLOOP_ONCE);
    if (reads)
        read_clients();
}

#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        for (int64_t until_ = now_ms() + PATIENCE_MS; !(condition);) {                             \
            if (now_ms() > until_)                                                                 \
                fail_msg("waited in vain for: %s", #condition);                                    \
            turn(true);                                                                            \
        }                                                                                          \
    } while (0)

static inline void send_bytes(struct client *client, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(client->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        } else if (n < 0 && errno != EAGAIN) {
            return; /* refused meanwhile: the test looks at the answer */
        } else {
            turn(true);
        }
    }
}

static inline void send_text(struct client *client, const char *text)
{
    send_bytes(client, text, strlen(text));
}

static inline const char *text_of(struct client *client)
{
    return buf_cstr(&client->got);
}

static inline bool has_text(struct client *client, const char *text)
{
    return strstr(text_of(client), text) != NULL;
}

static inline unsigned count_text(struct client *client, const char *text)
{
    unsigned count = 0;
    for (const char *at = text_of(client); (at = strstr(at, text)); at += strlen(text))
        count++;
    return count;
}

static inline int status_of(struct client *client)
{
    const char *text = text_of(client);
    return strncmp(text, "HTTP/1.1 ", 9) == 0 ? (int)strtol(text + 9, NULL, 10) : 0;
}

/* Send one request on a new connection and give the status, waiting for the connection to end. */
static inline int ask_once(const char *text, size_t len)
{
    struct client *client = connect_client();
    send_bytes(client, text, len);
    shutdown(client->fd, SHUT_WR);
    WAIT_FOR(client->eof || client->reset);
    int status = status_of(client);
    close_client(client);
    return status;
}

static inline void forget_text(struct client *client)
{
    buf_clear(&client->got);
}

#define HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
