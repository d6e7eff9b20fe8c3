/* A request's head: scanning it piece by piece says the same as scanning it at once, and what the
 * parser gives points into it. */
#include "fuzz.h"

#include "base/buf.h"
#include "net/http_parse.h"

enum { HEADERS_MAX = 100 };

static const struct http_limits limits = {
    .max_url_bytes = 8192, .max_header_bytes = 32768, .max_headers = HEADERS_MAX};

static void parse(struct slice text)
{
    struct http_header headers[HEADERS_MAX];
    struct http_head head = {.headers = headers, .header_max = HEADERS_MAX};
    struct buf copy = {0};

    buf_append_slice(&copy, text);
    struct http_refusal refusal = http_head_parse(&head, copy.data, copy.len);
    if (refusal.status == 0) {
        PROMISE(http_is_token(head.method));
        PROMISE(head.header_count <= HEADERS_MAX);
        PROMISE(head.path.data >= copy.data && head.path.data <= copy.data + copy.len);
        PROMISE(!(head.chunked && head.content_length > 0));
    }
    buf_free(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    struct http_scan at_once = {0}, by_pieces = {0};
    struct http_refusal refused = {0}, refused_piece = {0};
    size_t len = http_scan(&at_once, text, &limits, &refused), piece_len = 0;

    for (size_t n = 1; n <= size && piece_len == 0 && refused_piece.status == 0; n++)
        piece_len = http_scan(&by_pieces, slice_of(text.data, n), &limits, &refused_piece);

    PROMISE(len <= size);
    PROMISE(refused.status == refused_piece.status);
    PROMISE(refused.status != 0 || len == piece_len);
    if (len > 0 && refused.status == 0)
        parse(slice_of(text.data, len));
    return 0;
}
