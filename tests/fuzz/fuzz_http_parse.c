/* fuzz_http_parse.c: a request as bytes, fed whole and in pieces: both must be understood alike, and everything
 * understood must lie inside of what was sent. */
#include "base/mem.h"
#include "net/http_chunk.h"
#include "net/http_parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http_limits limits = {
    .max_url_bytes = 200,
    .max_header_bytes = 2000,
    .max_headers = 20,
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool is_inside(struct slice part, const char *text, size_t len)
{
    return part.len == 0 || (part.data >= text && part.data + part.len <= text + len);
}

static void check_head(struct slice sent, unsigned lines)
{
    struct http_header headers[32];
    struct http_head head = {.headers = headers, .header_max = 32};
    char *text = mem_strndup(sent.data, sent.len);
    struct http_refusal refusal = http_head_parse(&head, text, sent.len);
    check(head.header_count < lines);
    for (unsigned i = 0; i < head.header_count; i++) {
        check(http_is_token(headers[i].name) && http_is_field_value(headers[i].value));
        check(is_inside(headers[i].name, text, sent.len));
        check(is_inside(headers[i].value, text, sent.len));
    }
    if (!refusal.status) {
        check(head.header_count + 1 == lines);
        check(*head.path.data == '/' || slice_eq(head.path, SLICE("*")));
        check(is_inside(head.target, text, sent.len) && is_inside(head.path, text, sent.len));
        check(is_inside(head.query, text, sent.len) && is_inside(head.host, text, sent.len));
        check(!(head.chunked && head.known[HTTP_CONTENT_LENGTH]));
    }
    free(text);
}

/* Gives the length of the body, or -1 - the result that ended it early. */
static long decode(struct slice data, size_t step)
{
    struct http_chunk chunk = {0};
    long total = 0;
    while (data.len) {
        size_t used = 0;
        struct slice piece, part = {data.data, data.len < step ? data.len : step};
        enum http_chunk_result result = http_chunk_next(&chunk, part, 100, &used, &piece);
        check(used > 0 && used <= part.len && is_inside(piece, part.data, part.len));
        total += (long)piece.len;
        if (result == HTTP_CHUNK_END)
            return total;
        if (result == HTTP_CHUNK_BAD || result == HTTP_CHUNK_TOO_BIG)
            return -1 - (long)result;
        data = slice_from(data, used);
    }
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = {(const char *)data, size};
    struct http_scan whole = {0}, pieces = {0};
    struct http_refusal refusal, piece_refusal = {0};
    size_t len = http_scan(&whole, text, &limits, &refusal), piece_len = 0;
    for (size_t n = 1; n <= size && !piece_len && !piece_refusal.status; n++)
        piece_len = http_scan(&pieces, slice_of(text.data, n), &limits, &piece_refusal);
    check(len == piece_len);
    check((refusal.status != 0) == (piece_refusal.status != 0));
    if (len)
        check_head(slice_of(text.data, len), whole.lines);
    check(decode(text, size) == decode(text, 1));
    return 0;
}
