/* fetch_call.h: one HTTP call on its way; shared by the fetch*.c files only.
 *
 * A call goes: fetch_start (checked and copied) → launch (addresses) → curl → end. Everything that
 * ends it, from inside curl or not, goes through fetch_call_end(), which only notes the reason; the
 * rest happens on the next turn of the loop, where touching curl and calling the owner are safe. */
#pragma once

#include "base/buf.h"
#include "net/fetch.h"
#include "net/fetch_names.h"
#include "net/loop.h"

#include <curl/curl.h>

enum { FETCH_HOST_MAX = 256, FETCH_HEADERS_MAX = 256, FETCH_HEADER_BYTES_MAX = 256 << 10 };

struct fetch {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer *timer; /* when curl wants to be called at the latest */
    struct fetch_names *names;
    struct fetch_call *calls;
    unsigned in_flight, max_in_flight;
    char *ca_file, *user_agent;
    bool closing;
};

/* Where a URL leads. */
struct fetch_target {
    bool tls, literal; /* literal: the host is an IP address */
    uint16_t port;
    char host[FETCH_HOST_MAX];      /* IPv6 in brackets */
    char where[FETCH_HOST_MAX + 8]; /* "host:port", for people */
};

/* What came. Offsets, because the bytes move while they grow. */
struct fetch_field {
    size_t name, name_len, value, value_len;
};

struct fetch_collected {
    struct buf text; /* header names and values */
    struct fetch_field fields[FETCH_HEADERS_MAX];
    unsigned field_count;
    bool head_complete; /* what still comes as a header is a trailer */
    struct buf body;
    size_t body_bytes;
    int status;
    int64_t connect_us;
};

struct fetch_call {
    struct fetch *fetch;
    struct fetch_call *next, **link;
    fetch_done *done;
    void *owner;

    /* the request */
    char *method, *url;
    struct fetch_target target;
    struct curl_slist *headers, *addresses;
    struct buf body;
    size_t body_sent;
    unsigned timeout_ms, connect_timeout_ms, max_redirects, redirects;
    size_t max_body_bytes;
    bool (*on_piece)(void *owner, struct slice piece);

    /* its way */
    int64_t started_ns;
    struct loop_later later;
    struct loop_timer *deadline;
    struct fetch_name_wait name_wait;
    CURL *easy;
    bool in_multi;
    char curl_error[CURL_ERROR_SIZE];
    struct fetch_collected got;

    /* its end */
    bool ended;
    enum result rc;
    struct failure why;
};

/* ---- fetch.c ---- */
/* Note how the call ends; the first reason wins. `code` NULL takes that of `rc`. */
void fetch_call_end(struct fetch_call *call, enum result rc, const char *code, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));
/* Curl has finished with the transfer. */
void fetch_call_transferred(struct fetch_call *call, CURLcode code);

/* ---- fetch_request.c ---- */
/* Check and copy. On R_INVALID `why` says what is wrong and the call is to be freed. */
enum result fetch_request_take(struct fetch_call *call, const struct fetch_request *request,
                               struct failure *why);
/* Make the easy handle for the present URL. `addresses` NULL when the host is an address itself. */
void fetch_request_prepare(struct fetch_call *call, const char *addresses);
/* Turn the request into the one that a redirect with this status to `url` (taken) asks for. */
enum result fetch_request_redirect(struct fetch_call *call, int status, char *url,
                                   struct failure *why);

/* ---- fetch_answer.c ---- */
/* Curl's callbacks. */
size_t fetch_answer_on_header(char *data, size_t size, size_t count, void *owner);
size_t fetch_answer_on_body(char *data, size_t size, size_t count, void *owner);
bool fetch_answer_is_followed(const struct fetch_call *call); /* a redirect that we go after */
void fetch_answer_clear(struct fetch_collected *got);
/* `headers` has room for FETCH_HEADERS_MAX; borrows the call. */
void fetch_answer_build(const struct fetch_call *call, struct http_header *headers,
                        struct fetch_answer *out);
void fetch_answer_explain(struct fetch_call *call,
                          CURLcode code);                      /* ends the call with the reason */
const char *fetch_answer_phase(const struct fetch_call *call); /* "waiting for the answer" */

/* ---- fetch_multi.c ---- */
void fetch_multi_open(struct fetch *fetch, const struct fetch_options *options);
void fetch_multi_close(struct fetch *fetch);
