/* percent.h: percent-encoding of URLs (RFC 3986). */
#pragma once

#include "base/buf.h"

#include <stdbool.h>

/* Append the decoded text. False on a bad escape; `out` then holds what came before it. */
bool percent_decode(struct slice text, bool plus_is_space, struct buf *out);
/* Append with everything but A-Z a-z 0-9 - . _ ~ escaped. */
void percent_encode(struct slice text, struct buf *out);
