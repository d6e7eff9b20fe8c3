/* http_parse.h: from bytes to the head of a request, in two steps that hold no state between
 * requests.
 *
 * 1. http_scan() finds the end of the head and refuses, line by line, everything a strict server
 * must not let through: bare CR or LF, obs-fold, control bytes, a space before a colon, HTTP/0.9,
 * oversize.
 * 2. http_head_parse() runs llhttp over the complete head and settles how long the body is.
 *
 * llhttp (8.1, lenient build) alone would accept several of the things step 1 refuses; that is why
 * both exist. */
#pragma once

#include "net/http.h"

/* Headers the server itself looks at, found without a search. */
enum http_known {
    HTTP_HOST,
    HTTP_RANGE,
    HTTP_ACCEPT,
    HTTP_EXPECT,
    HTTP_IF_RANGE,
    HTTP_FORWARDED,
    HTTP_X_REAL_IP,
    HTTP_HX_REQUEST,
    HTTP_X_REQUEST_ID,
    HTTP_IF_NONE_MATCH,
    HTTP_CONTENT_LENGTH,
    HTTP_ACCEPT_ENCODING,
    HTTP_ACCEPT_LANGUAGE,
    HTTP_X_FORWARDED_FOR,
    HTTP_TRANSFER_ENCODING,
    HTTP_X_FORWARDED_PROTO,
    HTTP_KNOWN_COUNT,
};

/* status 0: not refused. */
struct http_refusal {
    int status;
    const char *code;
};

struct http_scan {
    size_t line_start; /* of the line not yet complete */
    size_t first_line_len;
    unsigned lines; /* complete ones */
};

/* `data` starts at the request line and grows between calls. Gives the length of the complete head
 * (its empty line included), or 0: more bytes are needed, or `refusal` says why there is no use in
 * waiting for them. */
size_t http_scan(struct http_scan *scan, struct slice data, const struct http_limits *limits,
                 struct http_refusal *refusal);

struct http_head {
    struct slice method, target, path, query, host;
    uint64_t content_length;
    uint8_t known[HTTP_KNOWN_COUNT]; /* index + 1 of the first such header, 0 = absent */
    uint8_t minor;                   /* HTTP/1.x */
    bool keep_alive, chunked, expects_continue;
    bool repeated; /* Host, Content-Length or Transfer-Encoding came twice: a smuggling vector */
    bool in_name;
    unsigned header_count, header_max;
    struct http_header *headers; /* room for header_max, given by the caller */
};

/* `text` is one complete head as measured by http_scan(). All slices of `head` point into it; a
 * byte of it may be changed (an absolute-form target without a path gets its «/»). */
struct http_refusal http_head_parse(struct http_head *head, char *text, size_t len);

/* Empty with NULL data when absent. */
struct slice http_head_known(const struct http_head *head, enum http_known which);

/* Token, as method and header names are. */
bool http_is_token(struct slice text);
/* No control byte but the tab: what may stand in a header value. */
bool http_is_field_value(struct slice text);
struct slice http_trim(struct slice text);
