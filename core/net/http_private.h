/* http_private.h: what the http_*.c files share. Nobody else includes it.
 *
 * A connection (http_conn.c) reads, hands heads and bodies to a request, and writes what answers
 * left in its `out`. One request of a connection is worked on at a time; the next pipelined one is
 * parsed after the answer to the current one is complete, so answers leave in order and memory is
 * bounded. Owners' calls only append to `out` and queue the connection for the end of the loop's
 * turn: no callback ever runs inside them. */
#pragma once

#include "base/buf.h"
#include "base/cidr.h"
#include "net/http.h"
#include "net/http_chunk.h"
#include "net/http_parse.h"
#include "net/loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>

enum {
    HTTP_CHUNK_BYTES = 64 * 1024, /* one read */
    HTTP_IN_MAX = 64 * 1024,      /* pipelined bytes kept while the owner works */
    HTTP_OUT_HIGH = 256 * 1024,   /* unsent bytes: streams and pipelines wait above this */
    HTTP_OUT_LOW = 64 * 1024,     /* … and go on below this */
    HTTP_LINGER_MS = 2000,        /* after a refusal, so that the client can read it */
    HTTP_LINGER_BYTES = 8 * 1024 * 1024,
    HTTP_INLINE_HEADERS = 32,
    HTTP_INLINE_HEAD = 1536,
    HTTP_ID_MAX = 64,
    HTTP_SPARE_BUFS = 64,
    HTTP_SPARE_BUF_BYTES = 64 * 1024,
    HTTP_SPARE_REQUESTS = 128,
    HTTP_SPARE_BODY_BYTES = 16 * 1024, /* kept with a spare request */
};

/* What a connection is waiting for; each has one duration, so one list in order of deadlines
 * suffices. */
enum http_wait {
    HTTP_WAIT_OWNER, /* no deadline: the owner has one */
    HTTP_WAIT_HEAD,
    HTTP_WAIT_BODY,
    HTTP_WAIT_IDLE,
    HTTP_WAIT_WRITE,
    HTTP_WAIT_LINGER,
    HTTP_WAIT_COUNT,
};

struct http_conn_list {
    struct http_conn *first, *last;
};

struct http_listener {
    struct event event;
    struct http_server *server;
    struct tls_context *tls;
    struct http_listener *next;
    int fd, index;
};

struct http_server {
    struct loop *loop;
    struct http_limits limits;
    struct http_callbacks callbacks;
    struct http_listener *listeners;
    struct cidr_list *trusted;
    bool trusts_unix, draining, freed;
    bool is_patient; /* draining, and connections that asked nothing yet may still ask */

    struct http_conn_list waiting[HTTP_WAIT_COUNT];
    unsigned wait_ms[HTTP_WAIT_COUNT];
    unsigned conn_count, live_requests;
    struct loop_timer *tick; /* looks for passed deadlines while there are connections */
    unsigned tick_ms;
    bool ticking, accepting;
    struct loop_timer *accept_again, *patience;
    int spare_fd;   /* given up for a moment when the process is out of descriptors */
    int64_t now_ns; /* when the present turn began */

    struct loop_later turn; /* connections that owners' calls gave work to */
    struct http_conn *turn_first, *turn_last;
    struct loop_later drained;
    void (*on_drained)(void *owner);
    void *drained_owner;

    struct http_request *spare_requests;
    unsigned spare_request_count;
    struct buf spare_bufs[HTTP_SPARE_BUFS];
    unsigned spare_buf_count;
    struct gzip *gzip;

    char id_prefix[17];
    uint64_t next_id;
    int64_t date_s;
    char date[64]; /* "Date: …\r\n" */
    size_t date_len;
    char chunk[HTTP_CHUNK_BYTES];
};

enum http_state {
    HTTP_READING,   /* the body */
    HTTP_WORKING,   /* the owner has it */
    HTTP_STREAMING, /* the owner answers in pieces */
    HTTP_ANSWERED,  /* all of the answer is in `out` */
    HTTP_ABORTED,   /* the owner broke its stream */
};

struct http_request {
    struct http_server *server;
    struct http_conn *conn; /* NULL once it has no connection any more */
    struct http_request *next;
    void *owner_data;
    void (*on_drain)(void *owner);
    void *drain_owner;
    enum http_state state;
    int status; /* answered with; 0 none yet */
    bool owned, finished, is_head, chunked_reply, over_high, closes, drops_pieces, continue_due,
        is_local, is_https;
    int listener_index;
    uint64_t out_begin, out_end; /* positions of the answer in what the connection ever sent */
    int64_t started_ns;
    size_t max_body;
    struct http_chunk chunk;
    struct buf body;
    char *long_head; /* when the inline one is too small */
    struct http_header *many_headers;
    struct http_head head;
    unsigned id_len;
    char id[HTTP_ID_MAX + 1];
    char address_text[CIDR_ADDRESS_TEXT_MAX];
    /* Not cleared between requests: */
    struct http_header inline_headers[HTTP_INLINE_HEADERS];
    char inline_head[HTTP_INLINE_HEAD];
};

struct http_conn {
    struct event event;
    struct http_server *server;
    struct http_listener *listener;
    struct tls *tls;
    struct http_conn *prev, *next; /* in server->waiting[wait] */
    struct http_conn *turn_next;
    struct http_request *request;                        /* being read or answered */
    struct http_request *answered_first, *answered_last; /* answered, not all sent */
    struct buf in, out;
    size_t out_sent;      /* of `out` */
    uint64_t sent_before; /* bytes that left before out[0] */
    int64_t deadline_ns, received_ns;
    struct http_scan scan;
    struct cidr_address client; /* the peer, or whom the PROXY protocol named */
    char client_text[CIDR_ADDRESS_TEXT_MAX];
    unsigned lingered;
    int fd;
    short interest;
    uint8_t wait;
    bool is_unix;
    bool is_local; /* the peer is this machine and spoke for itself */
    bool believed; /* a trusted proxy: its X-Forwarded headers count */
    bool proxy_pending, handshaking;
    bool busy;          /* inside its own callbacks: the pump goes on by itself */
    bool queued;        /* in server->turn */
    bool dead;          /* memory is kept while busy or queued */
    bool eof;           /* the peer has sent all it will */
    bool peer_finished; /* its end came together with data */
    bool closing;       /* no request after the answers in `out` */
    bool linger;        /* … and the peer may still be sending */
    bool lingering;
    bool new_wait; /* a new head, or progress of a slow reader: its deadline starts again */
};

/* ---- http_server.c ---- */
void http_buf_take(struct http_server *server,
                   struct buf *buf); /* when it has no memory: a spare one */
void http_buf_give(struct http_server *server, struct buf *buf); /* and back */
struct slice http_date_line(struct http_server *server);
void http_server_conn_gone(struct http_server *server);
void http_server_tick(struct http_server *server); /* there are deadlines to watch */
void http_server_turn(struct http_server *server); /* run http_conn_run_turn() soon */
void http_server_release_memory(struct http_server *server);

/* ---- http_conn.c ---- */
struct sockaddr_storage;
void http_conn_accept(struct http_listener *listener, int fd, const struct sockaddr_storage *from,
                      bool over_limit);
void http_conn_set_client(struct http_conn *conn, const struct cidr_address *client);
/* Answer with a problem to what is being read, and close. */
void http_conn_refuse(struct http_conn *conn, struct http_refusal refusal);
/* Close at once, whatever is under way. */
void http_conn_end(struct http_conn *conn);
void http_conn_expire(struct http_conn *conn); /* its deadline has passed */
void http_conn_kill(struct http_conn *conn);   /* silently: the server is being freed */
/* Something was put into `out` or decided: look at the connection before the loop sleeps. */
void http_conn_wake(struct http_conn *conn);
void http_conn_run_turn(struct http_server *server);
/* The answer in `out` is complete; `close` ends the connection after it. */
void http_conn_answered(struct http_conn *conn, bool close);
struct http_request *http_conn_pop_answered(struct http_conn *conn);
static inline size_t http_conn_unsent(const struct http_conn *conn)
{
    return conn->out.len - conn->out_sent;
}

/* ---- http_input.c ---- */
/* False: wait for more of the PROXY header, or the connection has ended. */
bool http_input_take_proxy(struct http_conn *conn);
/* Read once and use what came. `is_end_in_sight`: the peer's end waits behind the data. */
void http_input_receive(struct http_conn *conn, bool is_end_in_sight);
/* May bytes be parsed now, or does something have to be answered or sent before? */
bool http_input_is_wanted(const struct http_conn *conn);
void http_input_consume_stored(struct http_conn *conn);

/* ---- http_output.c ---- */
void http_output_grant_continue(struct http_conn *conn);
void http_output_flush(struct http_conn *conn);

/* ---- http_request.c ---- */
struct http_request *http_request_new(struct http_conn *conn);
/* Copy the head, parse it, and find out who asks. `lines` as counted by http_scan(). */
struct http_refusal http_request_take_head(struct http_request *req, struct slice text,
                                           unsigned lines);
/* Who waits for room is told, once. */
void http_request_tell_drained(struct http_request *req);
/* Tells on_done; the request is then recycled as soon as its owner has released it. */
void http_request_finish(struct http_request *req, int status, uint64_t bytes_out);
void http_request_recycle(struct http_request *req);

/* ---- http_reply.c ---- */
const char *http_reason(int status); /* "Not Found" */
/* False: the request is beyond answering (answered already, or its client is gone). */
bool http_reply_may(struct http_request *req);
/* The status line and the owner's headers, into the connection's output. */
struct http_reply_plan {
    int status;
    bool weaken_etag;     /* the bytes sent are not the bytes it was made for */
    bool without_content; /* 304: no Content-* header */
};
void http_reply_begin(struct http_request *req, const struct http_answer *answer,
                      struct http_reply_plan plan);
/* Date, X-Request-Id, Connection and the empty line. */
void http_reply_end_head(struct http_request *req, bool close);
bool http_reply_must_close(const struct http_request *req, const struct http_answer *answer);

/* ---- http_problem.c ---- */
/* Like http_reply_problem(), and closes the connection; `extra` unless its name is empty. */
void http_reply_refusal(struct http_request *req, struct http_refusal refusal,
                        const struct http_header *extra);

/* ---- http_forwarded.c ---- */
/* The request speaks for its connection; here a trusted proxy's headers may correct that. */
void http_forwarded_settle(struct http_request *req, const struct http_conn *conn);
