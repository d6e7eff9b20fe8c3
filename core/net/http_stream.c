/* http_stream.c: answers in pieces. Pieces of one turn of the loop leave in one write; a slow reader is felt as
 * R_OVERLOADED. Never compressed: a piece must be able to leave when it is written. */
#include "net/http_private.h"

#include <stdio.h>

void http_stream_begin(struct http_request *req, const struct http_answer *answer)
{
    if (!http_reply_may(req))
        return;
    bool has_body = !req->is_head && answer->status != 204 && answer->status != 304;
    req->chunked_reply = has_body && req->head.minor > 0;
    req->closes = http_reply_must_close(req, answer) || (has_body && !req->chunked_reply);
    req->drops_pieces = !has_body;
    http_reply_begin(req, answer, (struct http_reply_plan){.status = answer->status});
    if (req->chunked_reply)
        buf_append_slice(&req->conn->out, SLICE("Transfer-Encoding: chunked\r\n"));
    http_reply_end_head(req, req->closes);
    req->state = HTTP_STREAMING;
    http_conn_wake(req->conn);
}

static void append_chunk(struct buf *out, struct slice piece)
{
    char size[24];
    int len = snprintf(size, sizeof size, "%zx\r\n", piece.len);
    buf_append(out, size, (size_t)len);
    buf_append_slice(out, piece);
    buf_append_slice(out, SLICE("\r\n"));
}

enum result http_stream_write(struct http_request *req, struct slice piece)
{
    struct http_conn *conn = req->conn;
    if (!conn || req->state != HTTP_STREAMING)
        return R_CLOSED;
    if (piece.len == 0 || req->drops_pieces)
        return R_OK; /* an empty chunk would be the end */
    http_buf_take(conn->server, &conn->out);
    if (req->chunked_reply)
        append_chunk(&conn->out, piece);
    else
        buf_append_slice(&conn->out, piece);
    http_conn_wake(conn);
    req->over_high = req->over_high || http_conn_unsent(conn) > HTTP_OUT_HIGH;
    return req->over_high ? R_OVERLOADED : R_OK;
}

void http_stream_on_drain(struct http_request *req, void (*on_drain)(void *owner), void *owner)
{
    req->on_drain = on_drain;
    req->drain_owner = owner;
}

void http_stream_end(struct http_request *req)
{
    struct http_conn *conn = req->conn;
    if (req->state != HTTP_STREAMING)
        return;
    if (!conn) {
        req->state = HTTP_ANSWERED;
        return;
    }
    http_buf_take(conn->server, &conn->out);
    if (req->chunked_reply)
        buf_append_slice(&conn->out, SLICE("0\r\n\r\n"));
    http_conn_answered(conn, req->closes);
}

void http_stream_abort(struct http_request *req)
{
    if (req->state != HTTP_STREAMING)
        return;
    req->state = HTTP_ABORTED;
    if (req->conn)
        http_conn_wake(req->conn);
}
