/* gzip.h: gzip for bodies of answers. One compressor serves a whole process: its 256 KiB of state are reused. */
#pragma once

#include "base/buf.h"

struct gzip;

struct gzip *gzip_new(void);
void gzip_free(struct gzip *gzip); /* NULL is fine */

/* For answers made on the fly: quick. Borrowed until the next call; data NULL on failure. */
struct slice gzip_compress(struct gzip *gzip, struct slice body);
/* For files compressed once at load: small. False on failure, with `out` untouched. */
bool gzip_compress_best(struct slice body, struct buf *out);

/* HTML, JSON, CSS, JavaScript, SVG, XML, plain text; parameters after «;» do not matter. */
bool gzip_is_text_like(struct slice content_type);
/* Does an Accept-Encoding value allow gzip? */
bool gzip_is_accepted(struct slice accept_encoding);
