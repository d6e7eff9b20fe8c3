/* gzip.c: see gzip.h. The only includer of zlib. */
#include "net/gzip.h"
#include "base/mem.h"
#include "net/http_parse.h"

#include <stdlib.h>
#include <zlib.h>

enum { QUICK_LEVEL = 4, GZIP_WINDOW = 15 + 16 /* with gzip's header */, MEMORY = 8 };

struct gzip {
    z_stream stream;
    bool ready; /* made at the first use: most tools built on this library never compress */
    struct buf out;
};

struct gzip *gzip_new(void)
{
    return mem_new(struct gzip);
}

void gzip_free(struct gzip *gzip)
{
    if (!gzip)
        return;
    if (gzip->ready)
        deflateEnd(&gzip->stream);
    buf_free(&gzip->out);
    free(gzip);
}

static bool start(z_stream *stream, int level)
{
    return deflateInit2(stream, level, Z_DEFLATED, GZIP_WINDOW, MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
}

static bool run(z_stream *stream, struct slice body, struct buf *out)
{
    size_t room = deflateBound(stream, body.len);
    stream->next_out = (Bytef *)buf_reserve(out, room);
    stream->avail_out = (uInt)room;
    stream->next_in = (Bytef *)(uintptr_t)body.data;
    stream->avail_in = (uInt)body.len;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END)
        return false;
    out->len += stream->total_out;
    return true;
}

struct slice gzip_compress(struct gzip *gzip, struct slice body)
{
    buf_clear(&gzip->out);
    if (!gzip->ready)
        gzip->ready = start(&gzip->stream, QUICK_LEVEL);
    else
        deflateReset(&gzip->stream);
    return gzip->ready && run(&gzip->stream, body, &gzip->out) ? buf_slice(&gzip->out)
                                                               : (struct slice){NULL, 0};
}

bool gzip_compress_best(struct slice body, struct buf *out)
{
    z_stream stream = {0};
    if (!start(&stream, Z_BEST_COMPRESSION))
        return false;
    bool done = run(&stream, body, out);
    deflateEnd(&stream);
    return done;
}

bool gzip_is_text_like(struct slice content_type)
{
    static const struct slice exact[] = {
        {"application/json", 16},          {"application/javascript", 22},
        {"application/xml", 15},           {"application/problem+json", 24},
        {"application/manifest+json", 25}, {"image/svg+xml", 13},
    };
    const char *end = content_type.len ? memchr(content_type.data, ';', content_type.len) : NULL;
    if (end)
        content_type.len = (size_t)(end - content_type.data);
    content_type = http_trim(content_type);
    if (content_type.len > 5 && strncasecmp(content_type.data, "text/", 5) == 0)
        return !slice_ieq(content_type, SLICE("text/event-stream"));
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++) {
        if (slice_ieq(content_type, exact[i]))
            return true;
    }
    return false;
}

/* `q=0`, `q=0.000`: not acceptable. Any other weight is. */
static bool is_refused(struct slice parameters)
{
    struct slice q = http_trim(parameters);
    if (q.len < 3 || (*q.data | 0x20) != 'q' || q.data[1] != '=' || q.data[2] != '0')
        return false;
    for (size_t i = 3; i < q.len; i++) {
        if (q.data[i] >= '1' && q.data[i] <= '9')
            return false;
    }
    return true;
}

bool gzip_is_accepted(struct slice accept_encoding)
{
    bool any = false;
    while (accept_encoding.len) {
        struct slice parameters = slice_cut(&accept_encoding, ',');
        struct slice coding = http_trim(slice_cut(&parameters, ';'));
        if (slice_ieq(coding, SLICE("gzip")))
            return !is_refused(parameters);
        if (slice_eq(coding, SLICE("*")))
            any = !is_refused(parameters);
    }
    return any;
}
