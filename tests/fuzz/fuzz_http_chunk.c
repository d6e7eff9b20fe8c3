/* A body in chunks: cutting the bytes anywhere changes neither the body nor the verdict. */
#include "fuzz.h"

#include "base/buf.h"
#include "net/http_chunk.h"

enum { ASIDE_MAX = 1024 };

/* Feed `text` in steps of `step` bytes; gives the last result. */
static enum http_chunk_result decode(struct slice text, size_t step, struct buf *body)
{
    struct http_chunk chunk = {0};
    enum http_chunk_result result = HTTP_CHUNK_MORE;
    size_t used, at = 0, end = 0;

    while (at < text.len) {
        struct slice piece = {0};
        if (at == end)
            end = text.len - end < step ? text.len : end + step;
        result =
            http_chunk_next(&chunk, slice_of(text.data + at, end - at), ASIDE_MAX, &used, &piece);
        PROMISE(used <= end - at);
        at += used;
        if (result == HTTP_CHUNK_PIECE)
            buf_append_slice(body, piece);
        else if (result == HTTP_CHUNK_MORE)
            PROMISE(at == end);
        else
            break;
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of((const char *)data, size);
    struct buf whole = {0}, pieces = {0};
    enum http_chunk_result a = decode(text, size ? size : 1, &whole);
    enum http_chunk_result b = decode(text, 1, &pieces);
    bool a_failed = a == HTTP_CHUNK_BAD || a == HTTP_CHUNK_TOO_BIG;
    bool b_failed = b == HTTP_CHUNK_BAD || b == HTTP_CHUNK_TOO_BIG;

    PROMISE(a_failed == b_failed);
    PROMISE((a == HTTP_CHUNK_END) == (b == HTTP_CHUNK_END));
    PROMISE(slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
