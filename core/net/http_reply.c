/* http_reply.c: an answer becomes bytes in its connection's output. */
#include "net/http_private.h"
#include "base/log.h"
#include "net/gzip.h"

#include <stdlib.h>

enum { GZIP_MIN = 1024, GZIP_MAX = 1024 * 1024 };

static const char *const reasons[] = {
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [423] = "Locked",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [507] = "Insufficient Storage",
};

/* The server's own; what the owner says about them is dropped. */
static const struct slice reserved[] = {
    {"date", 4},          {"connection", 10},     {"keep-alive", 10},
    {"x-request-id", 12}, {"content-length", 14}, {"transfer-encoding", 17},
};

const char *http_reason(int status)
{
    const char *reason =
        status > 0 && (size_t)status < sizeof reasons / sizeof *reasons ? reasons[status] : NULL;
    return reason ? reason : "Unknown";
}

static bool is_reserved(struct slice name)
{
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (slice_ieq(reserved[i], name))
            return true;
    }
    return false;
}

static struct slice find(const struct http_answer *answer, struct slice name)
{
    for (unsigned i = 0; i < answer->header_count; i++) {
        if (slice_ieq(answer->headers[i].name, name))
            return answer->headers[i].value;
    }
    return (struct slice){NULL, 0};
}

/* ---- conditional requests ---- */

static struct slice opaque_tag(struct slice tag)
{
    return slice_starts(tag, SLICE("W/")) ? slice_from(tag, 2) : tag;
}

/* Weak comparison of a list of entity tags with one (RFC 9110, 13.1.2). */
static bool names_tag(struct slice list, struct slice tag)
{
    tag = opaque_tag(tag);
    list = http_trim(list);
    if (slice_eq(list, SLICE("*")))
        return true;
    while (list.len) {
        list = opaque_tag(http_trim(list));
        const char *end =
            list.len > 1 && *list.data == '"' ? memchr(list.data + 1, '"', list.len - 1) : NULL;
        if (!end)
            return false;
        struct slice one = {list.data, (size_t)(end - list.data) + 1};
        if (slice_eq(one, tag))
            return true;
        list = http_trim(slice_from(list, one.len));
        if (list.len && *list.data != ',')
            return false;
        list = slice_from(list, 1);
    }
    return false;
}

static bool is_not_modified(const struct http_request *req, const struct http_answer *answer)
{
    struct slice wanted = http_head_known(&req->head, HTTP_IF_NONE_MATCH);
    if (!wanted.data || answer->status != 200)
        return false;
    if (!req->is_head && !slice_eq(req->head.method, SLICE("GET")))
        return false;
    struct slice tag = find(answer, SLICE("ETag"));
    return tag.data && names_tag(wanted, tag);
}

/* ---- the head ---- */

static void append_number(struct buf *out, size_t number)
{
    char digits[24], *at = digits + sizeof digits;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    buf_append(out, at, (size_t)(digits + sizeof digits - at));
}

static void append_header(struct buf *out, struct slice name, struct slice value)
{
    char *at = buf_reserve(out, name.len + value.len + 4);
    memcpy(at, name.data, name.len);
    at += name.len;
    *at++ = ':';
    *at++ = ' ';
    if (value.len)
        memcpy(at, value.data, value.len);
    at += value.len;
    *at++ = '\r';
    *at++ = '\n';
    out->len += name.len + value.len + 4;
}

static void append_own_header(struct buf *out, const struct http_header *header,
                              struct http_reply_plan plan)
{
    if (is_reserved(header->name))
        return;
    if (!http_is_token(header->name) || !http_is_field_value(header->value)) {
        log_error("answer header dropped: it holds forbidden bytes",
                  LOG_SLICE("header", header->name));
        return;
    }
    if (plan.without_content && header->name.len > 8 &&
        strncasecmp(header->name.data, "content-", 8) == 0 &&
        !slice_ieq(header->name, SLICE("content-location")))
        return;
    if (plan.weaken_etag && slice_ieq(header->name, SLICE("etag")) &&
        !slice_starts(header->value, SLICE("W/"))) {
        buf_append_slice(out, SLICE("ETag: W/"));
        buf_append_slice(out, header->value);
        buf_append_slice(out, SLICE("\r\n"));
        return;
    }
    append_header(out, header->name, header->value);
}

static void append_status(struct buf *out, int status)
{
    if (status == 200) {
        buf_append_slice(out, SLICE("HTTP/1.1 200 OK\r\n"));
        return;
    }
    buf_append_slice(out, SLICE("HTTP/1.1 "));
    append_number(out, (size_t)status);
    buf_append_char(out, ' ');
    buf_append_slice(out, slice_cstr(http_reason(status)));
    buf_append_slice(out, SLICE("\r\n"));
}

void http_reply_begin(struct http_request *req, const struct http_answer *answer,
                      struct http_reply_plan plan)
{
    struct http_conn *conn = req->conn;
    http_buf_take(conn->server, &conn->out);
    req->status = plan.status;
    req->out_begin = conn->sent_before + conn->out.len;
    append_status(&conn->out, plan.status);
    for (unsigned i = 0; i < answer->header_count; i++)
        append_own_header(&conn->out, &answer->headers[i], plan);
}

void http_reply_end_head(struct http_request *req, bool close)
{
    struct buf *out = &req->conn->out;
    buf_append_slice(out, http_date_line(req->server));
    append_header(out, SLICE("X-Request-Id"), http_id(req));
    if (close)
        buf_append_slice(out, SLICE("Connection: close\r\n\r\n"));
    else if (req->head.minor == 0)
        buf_append_slice(out, SLICE("Connection: keep-alive\r\n\r\n"));
    else
        buf_append_slice(out, SLICE("\r\n"));
}

bool http_reply_must_close(const struct http_request *req, const struct http_answer *answer)
{
    bool body_unread =
        req->state == HTTP_READING && (req->head.chunked || req->head.content_length > 0);
    return answer->close || !req->head.keep_alive || req->server->draining || body_unread;
}

bool http_reply_may(struct http_request *req)
{
    if (req->state > HTTP_WORKING) {
        log_error("request was answered twice", LOG_SLICE("request_id", http_id(req)));
        return false;
    }
    if (!req->conn)
        req->state = HTTP_ANSWERED;
    return req->conn != NULL;
}

/* ---- whole answers ---- */

static bool has_no_body(int status)
{
    return status == 204 || status == 304;
}

/* Text worth compressing, whether or not this client accepts it: caches must know that it varies. */
static bool is_compressible(const struct http_answer *answer, int status)
{
    return answer->may_compress && !has_no_body(status) && status != 206 &&
           answer->body.len >= GZIP_MIN && answer->body.len <= GZIP_MAX &&
           gzip_is_text_like(find(answer, SLICE("Content-Type"))) &&
           !find(answer, SLICE("Content-Encoding")).data;
}

/* The body as it will be sent. */
static struct slice compress(const struct http_request *req, struct slice body)
{
    if (!gzip_is_accepted(http_head_known(&req->head, HTTP_ACCEPT_ENCODING)))
        return body;
    struct slice packed = gzip_compress(req->server->gzip, body);
    return packed.data && packed.len < body.len ? packed : body;
}

/* Only final statuses; anything else is the owner's bug. */
static int sane_status(int status)
{
    return status >= 200 && status <= 599 ? status : 500;
}

void http_reply(struct http_request *req, const struct http_answer *answer)
{
    if (!http_reply_may(req))
        return;
    struct http_conn *conn = req->conn;
    bool not_modified = is_not_modified(req, answer);
    bool close = http_reply_must_close(req, answer);
    int status = not_modified ? 304 : sane_status(answer->status);
    bool varies = is_compressible(answer, status);
    struct slice body = varies ? compress(req, answer->body) : answer->body;
    bool packed = body.data != answer->body.data;

    http_reply_begin(req, answer,
                     (struct http_reply_plan){
                         .status = status, .weaken_etag = packed, .without_content = not_modified});
    if (varies)
        buf_append_slice(&conn->out, SLICE("Vary: Accept-Encoding\r\n"));
    if (packed)
        buf_append_slice(&conn->out, SLICE("Content-Encoding: gzip\r\n"));
    if (!has_no_body(status)) {
        buf_append_slice(&conn->out, SLICE("Content-Length: "));
        append_number(&conn->out, body.len);
        buf_append_slice(&conn->out, SLICE("\r\n"));
    }
    http_reply_end_head(req, close);
    if (!req->is_head && !has_no_body(status))
        buf_append_slice(&conn->out, body);
    http_conn_answered(conn, close);
}
