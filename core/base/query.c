/* query.c: see query.h. */
#include "base/query.h"

/* Cut `s` at its first `c`; `rest` is what follows. */
static struct slice cut(struct slice s, char c, struct slice *rest)
{
    const char *at = s.len > 0 ? memchr(s.data, c, s.len) : NULL;
    size_t len = at ? (size_t)(at - s.data) : s.len;
    *rest = slice_from(s, at ? len + 1 : len);
    return slice_of(s.data, len);
}

bool query_next(struct slice *rest, struct slice *key, struct slice *value)
{
    while (rest->len > 0) {
        struct slice pair = cut(*rest, '&', rest);
        if (pair.len > 0) {
            *key = cut(pair, '=', value);
            return true;
        }
    }
    return false;
}
