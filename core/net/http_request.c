/* http_request.c: a request's life between its connection and its owner, and what it tells. Requests are pooled;
 * head and headers are inside of them unless they are unusually large. */
#include "net/http_private.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>

struct http_request *http_request_new(struct http_conn *conn)
{
    struct http_server *server = conn->server;
    struct http_request *req = server->spare_requests;
    if (req) {
        struct buf body = req->body;
        server->spare_requests = req->next;
        server->spare_request_count--;
        memset(req, 0, offsetof(struct http_request, inline_headers));
        req->body = body;
    } else {
        req = mem_alloc(sizeof *req);
        memset(req, 0, offsetof(struct http_request, inline_headers));
    }
    server->live_requests++;
    req->server = server;
    req->conn = conn;
    req->listener_index = conn->listener->index;
    req->started_ns = conn->received_ns;
    req->is_https = conn->tls != NULL;
    memcpy(req->address_text, conn->client_text, sizeof req->address_text);
    req->max_body = server->limits.max_body_bytes;
    return req;
}

static bool is_id_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static bool is_id(struct slice text)
{
    if (text.len == 0 || text.len > HTTP_ID_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_id_byte(text.data[i]))
            return false;
    }
    return true;
}

/* Unique without asking anybody: a random prefix of this server and a counter. */
static void make_id(struct http_request *req)
{
    static const char digits[] = "0123456789abcdef";
    struct http_server *server = req->server;
    uint64_t number = server->next_id++;
    size_t prefix_len = sizeof server->id_prefix - 1;
    memcpy(req->id, server->id_prefix, prefix_len);
    req->id[prefix_len] = '-';
    for (int i = 8; i > 0; i--, number >>= 4)
        req->id[prefix_len + (size_t)i] = digits[number & 15];
    req->id_len = (unsigned)prefix_len + 9;
}

struct slice http_id(const struct http_request *req)
{
    if (req->id_len == 0)
        make_id((struct http_request *)req);
    return slice_of(req->id, req->id_len);
}

static void take_id(struct http_request *req)
{
    struct slice given = http_head_known(&req->head, HTTP_X_REQUEST_ID);
    if (!given.data || !is_id(given))
        return;
    memcpy(req->id, given.data, given.len);
    req->id_len = (unsigned)given.len;
}

struct http_refusal http_request_take_head(struct http_request *req, struct slice text,
                                           unsigned lines)
{
    char *place = req->inline_head;
    struct http_header *headers = req->inline_headers;
    if (text.len > sizeof req->inline_head)
        place = req->long_head = mem_alloc(text.len);
    if (lines > HTTP_INLINE_HEADERS)
        headers = req->many_headers = mem_alloc(lines * sizeof *headers);
    memcpy(place, text.data, text.len);
    req->head.headers = headers;
    req->head.header_max = lines > HTTP_INLINE_HEADERS ? lines : HTTP_INLINE_HEADERS;

    struct http_refusal refusal = http_head_parse(&req->head, place, text.len);
    req->is_head = slice_eq(req->head.method, SLICE("HEAD"));
    take_id(req);
    http_forwarded_settle(req, req->conn);
    return refusal;
}

void http_request_recycle(struct http_request *req)
{
    struct http_server *server = req->server;
    free(req->long_head);
    free(req->many_headers);
    if (req->body.cap > HTTP_SPARE_BODY_BYTES)
        buf_free(&req->body);
    buf_clear(&req->body);
    server->live_requests--;
    if (server->freed || server->spare_request_count == HTTP_SPARE_REQUESTS) {
        buf_free(&req->body);
        free(req);
        http_server_release_memory(server);
        return;
    }
    req->next = server->spare_requests;
    server->spare_requests = req;
    server->spare_request_count++;
}

void http_request_tell_drained(struct http_request *req)
{
    void (*on_drain)(void *owner) = req->on_drain;
    req->on_drain = NULL;
    if (on_drain)
        on_drain(req->drain_owner);
}

void http_request_finish(struct http_request *req, int status, uint64_t bytes_out)
{
    struct http_callbacks *callbacks = &req->server->callbacks;
    req->conn = NULL;
    http_request_tell_drained(req);
    if (callbacks->on_done)
        callbacks->on_done(callbacks->owner, req, status, bytes_out);
    req->finished = true;
    if (!req->owned)
        http_request_recycle(req);
}

void http_release(struct http_request *req)
{
    if (!req->finished && req->conn && req->state == HTTP_WORKING) {
        log_error("request was released without an answer", LOG_SLICE("request_id", http_id(req)));
        http_reply_problem(req, 500, "internal_error");
    } else if (!req->finished && req->conn && req->state == HTTP_STREAMING) {
        http_stream_abort(req);
    }
    req->owned = false;
    if (req->finished)
        http_request_recycle(req);
}

/* ---- what a request says ---- */

struct slice http_method(const struct http_request *req)
{
    return req->head.method;
}

struct slice http_target(const struct http_request *req)
{
    return req->head.target;
}

struct slice http_path(const struct http_request *req)
{
    return req->head.path;
}

struct slice http_query(const struct http_request *req)
{
    return req->head.query;
}

struct slice http_body(const struct http_request *req)
{
    return buf_slice(&req->body);
}

struct slice http_find_header(const struct http_request *req, struct slice name)
{
    for (unsigned i = 0; i < req->head.header_count; i++) {
        if (slice_ieq(req->head.headers[i].name, name))
            return req->head.headers[i].value;
    }
    return (struct slice){NULL, 0};
}

unsigned http_header_count(const struct http_request *req)
{
    return req->head.header_count;
}

struct http_header http_header_at(const struct http_request *req, unsigned index)
{
    return req->head.headers[index];
}

struct slice http_address(const struct http_request *req)
{
    return slice_cstr(req->address_text);
}

struct slice http_scheme(const struct http_request *req)
{
    return req->is_https ? SLICE("https") : SLICE("http");
}

struct slice http_host(const struct http_request *req)
{
    return req->head.host;
}

bool http_is_head(const struct http_request *req)
{
    return req->is_head;
}

bool http_is_local(const struct http_request *req)
{
    return req->is_local;
}

int64_t http_started_ns(const struct http_request *req)
{
    return req->started_ns;
}

int http_listener(const struct http_request *req)
{
    return req->listener_index;
}

void http_set_max_body(struct http_request *req, size_t bytes)
{
    req->max_body = bytes;
}

void http_set_owner_data(struct http_request *req, void *data)
{
    req->owner_data = data;
}

void *http_owner_data(const struct http_request *req)
{
    return req->owner_data;
}
