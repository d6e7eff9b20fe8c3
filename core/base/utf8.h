/* utf8.h: is it really UTF-8? */
#pragma once

#include "base/slice.h"

/* Length of the valid sequence at `data` (1..4), or 0: overlong forms, surrogates and values over
 * U+10FFFF are not valid (RFC 3629). */
unsigned utf8_sequence(const char *data, size_t len);
bool utf8_is_valid(struct slice text);
