/* share.h: which part of an audience something is for: a percentage, or names. Depends on nothing but its text, a salt and
 * who is asked about, so all processes of all nodes agree without talking. */
#pragma once

#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>

struct share;

/* `text` is «10%» (down to 0.01%) or «drivers:7,8», where the word before the colon is for people only. `salt` makes each
 * share choose others. R_INVALID says what was expected. */
enum result share_parse(struct slice text, struct slice salt, struct share **out,
                        struct failure *why);
void share_free(struct share *share); /* NULL is fine */

/* Does it take this one? `name` has no data when nobody knows who it is: names then take nobody, and a percentage goes by
 * `address`. */
bool share_takes(const struct share *share, struct slice name, struct slice address);
