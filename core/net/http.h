/* http.h: the HTTP/1.1 server as the rest of Fura sees it: a request arrives whole, an answer leaves.
 *
 * The server owns connections and bytes and knows no Lua. For each request it calls the owner twice:
 * on_head when the header is complete (the owner sets limits or refuses at once), and on_request when
 * the body is there. The owner answers exactly once with http_reply() or http_stream_begin().
 *
 * A request lives from on_head until the answer is complete *and* the owner called http_release();
 * every accepted on_request must be paired with one http_release(). Slices of a request are valid
 * that long. */
#pragma once

#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct http_server;
struct http_request;

struct http_header {
    struct slice name, value;
};

struct http_limits {
    size_t max_url_bytes;      /* 8 KiB → 414 */
    size_t max_header_bytes;   /* 32 KiB → 431 */
    unsigned max_headers;      /* 100 → 431 */
    size_t max_body_bytes;     /* 1 MiB → 413; a route may set its own in on_head */
    unsigned head_timeout_ms;  /* 10 s */
    unsigned body_timeout_ms;  /* 30 s */
    unsigned idle_timeout_ms;  /* keep-alive */
    unsigned write_timeout_ms; /* no progress of a slow reader */
    unsigned max_connections;
};

struct http_callbacks {
    /* Head complete, body not read yet. May call http_set_max_body() or http_reply() (then on_request
     * will not come). Runs no script. */
    void (*on_head)(void *owner, struct http_request *req);
    /* The whole request is here. Never called before the function that started reading returned. */
    void (*on_request)(void *owner, struct http_request *req);
    /* The client went away, or its answer could not be delivered, before the answer was complete.
     * Called at most once per on_request and never after http_release(). Replying stays legal, and
     * does nothing. A client that only stopped sending (its FIN came with the request) is not gone. */
    void (*on_gone)(void *owner, struct http_request *req);
    /* Once per request when its last byte was handed to the kernel, or it failed: for the access log
     * and metrics. `status` 0 when no answer left. Slices are still valid. Comes for requests that the
     * server refused by itself too, which on_head may never have seen: then owner data is NULL and
     * method and target may be empty. */
    void (*on_done)(void *owner, struct http_request *req, int status, uint64_t bytes_out);
    void *owner;
};

/* ---- what a request says; everything borrowed from it ---- */
struct slice http_method(const struct http_request *req);
struct slice http_target(const struct http_request *req); /* as sent: path?query */
struct slice http_path(const struct http_request *req);   /* still percent-encoded */
struct slice http_query(const struct http_request *req);  /* without '?'; empty when none */
struct slice http_body(const struct http_request *req);
struct slice http_find_header(const struct http_request *req,
                              struct slice name); /* data NULL when absent */
unsigned http_header_count(const struct http_request *req);
struct http_header http_header_at(const struct http_request *req, unsigned index);
struct slice http_id(const struct http_request *req); /* X-Request-Id taken or made */
struct slice
http_address(const struct http_request *req);             /* client address after trusted proxies */
struct slice http_scheme(const struct http_request *req); /* "http" or "https", proxies respected */
struct slice http_host(const struct http_request *req);
bool http_is_head(const struct http_request *req);
/* The peer itself is loopback (or a unix socket) and sent no forwarding header: a person at this machine. */
bool http_is_local(const struct http_request *req);
int64_t http_started_ns(const struct http_request *req); /* monotonic, first byte of the request */
/* The listener it came in by: an index given to http_listen(). */
int http_listener(const struct http_request *req);

void http_set_max_body(struct http_request *req, size_t bytes);
/* One pointer for the owner (the task that answers it). */
void http_set_owner_data(struct http_request *req, void *data);
void *http_owner_data(const struct http_request *req);

/* ---- answering ---- */
struct http_answer {
    int status;
    const struct http_header *
        headers; /* without Content-Length, Date, Connection, X-Request-Id: the server adds those */
    unsigned header_count;
    struct slice body; /* copied before http_reply returns */
    bool may_compress; /* gzip when the client accepts, the type is text-like and it pays */
    bool close;        /* close the connection afterwards */
};

/* Answer whole. HEAD, 204, 304 and If-None-Match (when the headers hold an ETag and the status is 200)
 * are handled here. A second answer to the same request is ignored and logged. */
void http_reply(struct http_request *req, const struct http_answer *answer);

/* Answer with a problem document (RFC 9457): code and detail in the client's language. */
void http_reply_problem(struct http_request *req, int status, const char *code);
/* The same with one more header. */
void http_reply_problem_with(struct http_request *req, int status, const char *code,
                             struct http_header extra);

/* Answer in pieces: chunked for HTTP/1.1, until close for 1.0. `answer->body` is ignored. */
void http_stream_begin(struct http_request *req, const struct http_answer *answer);
/* R_OK: queued and there is room. R_OVERLOADED: queued, but wait for on_drain before the next piece.
 * R_CLOSED: the client is gone. */
enum result http_stream_write(struct http_request *req, struct slice piece);
/* Runs once: when there is room again, or when the request ends without. */
void http_stream_on_drain(struct http_request *req, void (*on_drain)(void *owner), void *owner);
void http_stream_end(struct http_request *req);
/* Break the stream so that the client can tell (no final chunk, connection reset). */
void http_stream_abort(struct http_request *req);

/* The owner has no more use for the request. */
void http_release(struct http_request *req);

/* ---- the server ---- */
struct http_server *http_server_new(struct loop *loop, const struct http_limits *limits,
                                    const struct http_callbacks *callbacks);
/* CIDR list "10.0.0.0/8,::1/128"; only these peers may send X-Forwarded-* or the PROXY protocol. A list that
 * begins with `unix:` trusts peers on unix sockets, which otherwise count as 127.0.0.1. */
enum result http_server_trust(struct http_server *server, const char *cidrs, struct failure *why);
/* Start accepting on a listening descriptor opened by net/listener.h. `tls` is NULL for plain. */
struct tls_context;
void http_listen(struct http_server *server, int fd, int listener_index, struct tls_context *tls);
/* Stop accepting (the descriptors stay the caller's) and close idle connections; busy ones end with
 * `Connection: close`. `on_drained` runs once when the last connection has gone. */
void http_server_drain(struct http_server *server, void (*on_drained)(void *owner), void *owner);
unsigned http_connection_count(const struct http_server *server);
/* Calls nobody back. Requests still held may, and must, be released after it. */
void http_server_free(struct http_server *server);
