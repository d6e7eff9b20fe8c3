/* answers.h: what a worker answers when the master asks on behalf of a command: its running tasks,
 * ending one, calling a function of the application. */
#pragma once

#include "base/slice.h"

struct generation;

/* `reply` runs exactly once with one JSON object, perhaps inside this call, perhaps after a task
 * has run in `live` (which may be NULL). `owner` must live until then. */
void answers_give(struct slice request, unsigned worker, struct generation *live,
                  void (*reply)(void *owner, struct slice json), void *owner);
