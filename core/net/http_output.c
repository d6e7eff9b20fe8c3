/* http_output.c: what answers left in a connection's `out` goes to the kernel, and who waited for that is told. */
#include "net/http_private.h"
#include "net/tls.h"

#include <errno.h>
#include <sys/socket.h>

static void finish_sent(struct http_conn *conn)
{
    uint64_t sent = conn->sent_before + conn->out_sent;
    while (!conn->dead && conn->answered_first && conn->answered_first->out_end <= sent) {
        struct http_request *req = http_conn_pop_answered(conn);
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
    http_request_tell_drained(req);
}

static void forget_sent(struct http_conn *conn)
{
    if (conn->out_sent < conn->out.len / 2)
        return;
    conn->sent_before += conn->out_sent;
    buf_consume(&conn->out, conn->out_sent);
    conn->out_sent = 0;
    if (conn->out.len == 0)
        http_buf_give(conn->server, &conn->out);
}

/* The client waits for leave to send its body; once some of it is here there is no need to say so.
 */
void http_output_grant_continue(struct http_conn *conn)
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

void http_output_flush(struct http_conn *conn)
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
            http_conn_end(conn);
            return;
        }
        conn->out_sent += (size_t)n;
        if (conn->wait == HTTP_WAIT_WRITE)
            conn->new_wait = true;
    }
    if (conn->dead)
        return;
    forget_sent(conn);
    tell_drained(conn);
    finish_sent(conn); /* also when nothing was sent: a stream may end without a last byte */
}
