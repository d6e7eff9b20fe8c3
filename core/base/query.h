/* query.h: the pairs of a query string or form, `a=1&b=2`. */
#pragma once

#include "base/slice.h"

/* Take the next pair off `rest`, still percent-encoded; empty ones are skipped. A pair without '=' has an empty value.
 * False at the end. */
bool query_next(struct slice *rest, struct slice *key, struct slice *value);
