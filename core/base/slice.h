/* slice.h: a borrowed run of bytes. It never owns and is never NUL-terminated by promise. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *data;
    size_t len;
};

#define SLICE(literal) ((struct slice){"" literal, sizeof(literal) - 1})

static inline struct slice slice_of(const char *data, size_t len)
{
    return (struct slice){data, len};
}

static inline struct slice slice_cstr(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* ASCII case is ignored, as in header names. */
static inline bool slice_ieq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.data, b.data, a.len) == 0);
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && memcmp(s.data, prefix.data, prefix.len) == 0;
}

static inline struct slice slice_from(struct slice s, size_t offset)
{
    return offset >= s.len ? (struct slice){s.data + s.len, 0}
                           : (struct slice){s.data + offset, s.len - offset};
}

/* Cut off what stands before the next `at` (all of it when there is none); `rest` goes on behind that. */
static inline struct slice slice_cut(struct slice *rest, char at)
{
    const char *found = rest->len ? memchr(rest->data, at, rest->len) : NULL;
    struct slice piece = slice_of(rest->data, found ? (size_t)(found - rest->data) : rest->len);
    *rest = slice_from(*rest, piece.len + 1);
    return piece;
}

/* A number of decimal digits alone, at most nine of them and at most `max`. */
static inline bool slice_to_unsigned(struct slice text, unsigned max, unsigned *out)
{
    unsigned value = 0;
    if (text.len == 0 || text.len > 9)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text.data[i] - '0');
    }
    *out = value;
    return value <= max;
}
