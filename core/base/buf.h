/* buf.h: growable bytes. `(struct buf){0}` is an empty one; end with buf_free(). */
#pragma once

#include "base/slice.h"

#include <stdarg.h>

struct buf {
    char *data;
    size_t len;
    size_t cap;
};

/* Make room for `extra` more bytes and return where they go; the caller then raises `len`. */
char *buf_reserve(struct buf *buf, size_t extra);
void buf_append(struct buf *buf, const void *data, size_t len);
void buf_append_slice(struct buf *buf, struct slice s);
void buf_append_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args);

/* Drop the first `count` bytes. */
void buf_consume(struct buf *buf, size_t count);

/* NUL-terminate (not counted in len) and give the text; stays owned by `buf`. */
const char *buf_cstr(struct buf *buf);

static inline struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){buf->data, buf->len};
}

/* Empty it but keep the memory; buf_free gives the memory back. */
void buf_clear(struct buf *buf);
void buf_free(struct buf *buf);
