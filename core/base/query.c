/* query.c: see query.h. */
#include "base/query.h"

bool query_next(struct slice *rest, struct slice *key, struct slice *value)
{
    while (rest->len > 0) {
        struct slice pair = slice_cut(rest, '&');
        if (pair.len > 0) {
            *key = slice_cut(&pair, '=');
            *value = pair;
            return true;
        }
    }
    return false;
}
