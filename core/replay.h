/* replay.h: answering recorded requests again, in one worker, with what runs and with the sources on disk. Two whole
 * generations are built for it beside the live one, both in a world where nothing can be changed (bind/replay_world.h),
 * so that like is compared with like and no live memory is touched. What is asked of them and how answers are compared
 * is Lua's business: the function `replay` of lua/init.lua. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>

struct generation;
struct host;
struct loop;
struct replay;

struct replay_options {
    struct loop *loop;
    const struct host *host;
    unsigned build_timeout_ms;
    void (*on_idle)(void *owner); /* one has ended, and all it had built is gone */
    void *owner;
};

/* `reply` runs exactly once with one JSON object, perhaps inside the call. */
typedef void replay_reply(void *owner, struct slice json);

struct replay *replay_new(const struct replay_options *options);
void replay_free(struct replay *replay); /* when it is idle */

/* Run one: the live generation against the bundle in `sources_fd` (taken). `request`: {"recorded": […], …}. */
void replay_begin(struct replay *replay, struct generation *live, int sources_fd,
                  struct slice request, replay_reply *reply, void *owner);
bool replay_is_idle(const struct replay *replay);
void replay_stop(struct replay *replay); /* cut it short; on_idle tells when it is gone */
