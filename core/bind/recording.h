/* recording.h: the last requests of this worker, for `fura replay`: what was asked, and on behalf of which driver. Never
 * a token, a cookie, a body, an address or the value of a secret parameter. In memory only, bounded, gone with the
 * worker. */
#pragma once

#include "base/buf.h"
#include "net/http.h"

#include <stdbool.h>
#include <stdint.h>

struct exchange;
struct recording;

enum { RECORDING_HEADERS_MAX = 8 };

/* Everything borrowed. */
struct recorded_request {
    struct slice method, route, path, query,
        driver; /* route: the pattern; driver: empty when nobody is known */
    struct http_header headers[RECORDING_HEADERS_MAX];
    unsigned header_count;
    struct slice body_type;
    size_t body_bytes;
    int status;
    int64_t at_ms; /* wall clock */
    const char *const
        *hides; /* parameters that are secrets, beside those whose name tells; NULL at the end */
};

struct recording *recording_new(unsigned keep);
void recording_free(struct recording *recording); /* NULL is fine */

/* A request equal to one that is kept only renews it. When it is full, the most crowded route gives way, and of it
 * the driver with the most; so that what is asked rarely is there too. */
void recording_add(struct recording *recording, const struct recorded_request *request);
/* The same from an exchange that was answered. */
void recording_take(struct recording *recording, const struct exchange *exchange,
                    const struct http_request *req, int status);
unsigned recording_count(const struct recording *recording);
/* Append a JSON list, the newest first, of at most about `max_bytes`. */
void recording_describe(const struct recording *recording, size_t max_bytes, struct buf *out);
