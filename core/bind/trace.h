/* trace.h: W3C trace context. A request that comes with a `traceparent` is continued: calls made for it carry the same
 * trace id with an id of their own. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>

enum { TRACE_CHARS = 55 };

/* Version 00, lower-case hex, ids that are not all zero. */
bool trace_is_valid(struct slice traceparent);

/* The header of a call made for `parent`, which is valid. */
void trace_continue(const char *parent, char out[TRACE_CHARS + 1]);
