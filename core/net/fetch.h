/* fetch.h: the HTTP client of one process: libcurl multi on the loop, with pooled, verified
 * connections. Calls return at once; answers arrive later, on the loop. Knows no Lua. Only the
 * fetch*.c files include curl.
 *
 * A POST or PATCH is never sent twice by itself: when a pooled connection dies under it, the call
 * fails with «closed». */
#pragma once

#include "base/result.h"
#include "base/slice.h"
#include "net/http.h"

struct loop;
struct fetch;
struct fetch_call;

struct fetch_options {
    unsigned max_per_host;  /* connections; further calls wait their turn inside their deadline */
    unsigned max_in_flight; /* beyond it R_OVERLOADED */
    const char *ca_file;    /* NULL = system roots */
    const char *user_agent;
};

struct fetch_request {
    struct slice method, url;
    const struct http_header *headers;
    unsigned header_count;
    struct slice body;
    unsigned timeout_ms;         /* whole call */
    unsigned connect_timeout_ms; /* 0 = timeout_ms */
    size_t max_body_bytes;       /* after decompression; over it: R_TOO_BIG */
    /* 0: a redirect is an answer like any other. Else followed to http and https only, never from
     * https to http; Authorization and Cookie do not travel to another host. */
    unsigned max_redirects;
    /* When set, body pieces go here as they come and the answer's body is empty. Return false to
     * stop: the call then ends well with what came so far. Must not start or end calls of this
     * fetch. */
    bool (*on_piece)(void *owner, struct slice piece);
};

struct fetch_answer {
    int status;
    const struct http_header
        *headers; /* names lower-case, last response only; without Content-Encoding and
                     Content-Length of a body that was decompressed */
    unsigned header_count;
    struct slice body;
    int64_t took_us, connect_us; /* connect_us 0 when a pooled connection was used */
};

/* Runs exactly once per accepted call, never before fetch_start() returned. On failure `answer` is
 * NULL and `why` names what happened: code one of dns_failed, connect_failed, tls_failed (all
 * R_UNAVAILABLE: nothing was asked), timeout, closed, too_big, invalid_answer, bad_redirect,
 * cancelled, and a text with host and phase, never with path, query or credentials. */
typedef void fetch_done(void *owner, enum result rc, const struct fetch_answer *answer,
                        const struct failure *why);

struct fetch *fetch_open(struct loop *loop, const struct fetch_options *options);
void fetch_close(struct fetch *fetch); /* calls in flight fail with R_CLOSED before this returns */

/* `request` is copied. Refuses with R_OVERLOADED, or R_INVALID and the code invalid_url or
 * invalid_request. Gives `*out` (may be NULL) for fetch_cancel; valid until `done` runs. */
enum result fetch_start(struct fetch *fetch, const struct fetch_request *request, fetch_done *done,
                        void *owner, struct fetch_call **out, struct failure *why);
/* `done` runs soon with R_CANCELLED. */
void fetch_cancel(struct fetch_call *call);

/* For `fura version`. */
const char *fetch_library(void);
