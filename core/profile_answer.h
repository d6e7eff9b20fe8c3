/* profile_answer.h: `fura profile` in a worker: sample for a while, then answer. */
#pragma once

#include "base/slice.h"

struct generation;

/* `reply` runs exactly once, with a JSON object: {ok, samples, outside, stacks} after «seconds» of the request, sooner after
 * profile_answer_cut(), or {ok: false, error} at once. `owner` must live until then. */
void profile_answer(struct generation *live, struct slice request,
                    void (*reply)(void *owner, struct slice json), void *owner);
/* Nobody waits for it any more: end it now. Harmless when none is being taken. */
void profile_answer_cut(void);
