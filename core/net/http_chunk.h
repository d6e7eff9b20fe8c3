/* http_chunk.h: a request body in chunks (RFC 9112, 7.1), decoded strictly and piece by piece.
 * llhttp's lenient build accepts bare LF and endless extensions here, so this framing is ours: CRLF
 * only, extensions and trailers are read, bounded and dropped. */
#pragma once

#include "base/slice.h"

#include <stdint.h>

struct http_chunk {
    int state; /* private; all zero is the start */
    unsigned digits;
    uint64_t left;
    size_t aside; /* bytes of extensions and trailers so far */
};

enum http_chunk_result {
    HTTP_CHUNK_MORE,  /* all of `data` was used */
    HTTP_CHUNK_PIECE, /* `*piece` is body; call again with the rest */
    HTTP_CHUNK_END,   /* the body is complete */
    HTTP_CHUNK_BAD,
    HTTP_CHUNK_TOO_BIG, /* extensions and trailers over `max_aside` */
};

/* Consumes from the front of `data`; `*used` tells how much. `*piece` points into `data`. */
enum http_chunk_result http_chunk_next(struct http_chunk *chunk, struct slice data,
                                       size_t max_aside, size_t *used, struct slice *piece);
