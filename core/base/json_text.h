/* json_text.h: JSON strings for the core's own lines (log, settings). Scripts have host.json. */
#pragma once

#include "base/buf.h"

/* Append `text` quoted and escaped. What is not UTF-8 becomes U+FFFD, so that a line is always
 * valid JSON. */
void json_text_append(struct buf *out, struct slice text);
/* The lines of `text` as a list of strings. */
void json_text_append_lines(struct buf *out, struct slice text);
