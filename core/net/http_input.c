/* http_input.c: bytes from a connection become requests: the PROXY header, heads, bodies, and the end. */
#include "net/http_private.h"
#include "net/http_forwarded.h"
#include "net/tls.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/* A FIN this soon after a request is a script that shut down its sending side (`printf … | nc`),
 * not a person who lost interest: TCP cannot tell the two apart. */
static const int64_t half_close_ns = 50 * 1000000;

bool http_input_is_wanted(const struct http_conn *conn)
{
    return !conn->dead && !conn->closing && !conn->proxy_pending &&
           http_conn_unsent(conn) < HTTP_OUT_HIGH &&
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
        http_conn_refuse(conn, (struct http_refusal){413, "body_too_large"});
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
        http_conn_refuse(conn, refusal);
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
            http_conn_refuse(conn, (struct http_refusal){413, "body_too_large"});
        else
            buf_append_slice(&req->body, piece);
        break;
    case HTTP_CHUNK_END:
        dispatch(conn);
        break;
    case HTTP_CHUNK_BAD:
        http_conn_refuse(conn, (struct http_refusal){400, "bad_request"});
        break;
    case HTTP_CHUNK_TOO_BIG:
        http_conn_refuse(conn, (struct http_refusal){431, "headers_too_large"});
        break;
    }
    return used;
}

/* Gives how much of `data` was used up. */
static size_t consume(struct http_conn *conn, struct slice data)
{
    size_t used = 0;
    while (used < data.len && http_input_is_wanted(conn)) {
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

void http_input_consume_stored(struct http_conn *conn)
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
            http_conn_end(conn);
        return;
    }
    if (conn->closing) {
        conn->linger = true;
        return;
    }
    if (conn->in.len == 0) {
        if (!conn->request)
            conn->received_ns = conn->server->now_ns;
        if (http_input_is_wanted(conn))
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
    const struct http_request *req = conn->request;
    if (conn->lingering || (req && req->state != HTTP_READING && has_left(conn)))
        http_conn_end(conn);
}

/* Move `len` bytes that were peeked at from the socket to `in`. */
static void take_peeked(struct http_conn *conn, size_t len)
{
    ssize_t n = recv(conn->fd, buf_reserve(&conn->in, len), len, 0);
    conn->in.len += n > 0 ? (size_t)n : 0;
}

static void use_proxy(struct http_conn *conn, const struct http_proxy *proxy)
{
    http_buf_give(conn->server, &conn->in);
    conn->is_local = false;
    if (proxy->has_address)
        http_conn_set_client(conn, &proxy->address);
}

/* Only the header's own bytes are read, so that TLS may follow. */
bool http_input_take_proxy(struct http_conn *conn)
{
    char peeked[2048 + 16];
    struct http_proxy proxy;
    size_t known = conn->in.len;
    ssize_t n = recv(conn->fd, peeked, sizeof peeked, MSG_PEEK);
    if (n <= 0)
        return n == 0 || errno != EAGAIN;

    buf_append(&conn->in, peeked, (size_t)n);
    enum http_proxy_result result = http_proxy_parse(buf_slice(&conn->in), &proxy);
    conn->in.len = known;
    conn->proxy_pending = result == HTTP_PROXY_MORE;
    if (result == HTTP_PROXY_BAD || (result == HTTP_PROXY_NONE && known && conn->tls))
        http_conn_end(conn);
    else if (result == HTTP_PROXY_MORE)
        take_peeked(conn, (size_t)n);
    else if (result == HTTP_PROXY_DONE) {
        take_peeked(conn, proxy.len - known);
        use_proxy(conn, &proxy);
    }
    return !conn->dead && !conn->proxy_pending;
}

void http_input_receive(struct http_conn *conn, bool is_end_in_sight)
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
        http_conn_end(conn);
    }
}
