/* replay_world.h: the world of a generation that only answers recorded requests: it reads what others read, and changes
 * and asks nothing. What may be done to `host` for that stands in replay_world.lua; nothing of it touches the modules of
 * a generation that serves. */
#pragma once

#include "bind/bind.h"

#include <stdbool.h>

struct dispatch;
struct generation;

enum { REPLAY_ERRORS_MAX = 50 };

struct replay_error {
    char *text;
    unsigned count;
};

struct replay_world {
    struct host host; /* set before the generation is built */
    struct generation *generation;
    struct buf
        needs; /* what the answer under way wanted that a replay does not do; the weightiest */
    int needs_weight;
    struct replay_error errors[REPLAY_ERRORS_MAX]; /* what it logged as errors */
    unsigned error_count;
};

/* Push its table `host`: fits generation_recipe.open_host. */
void replay_world_open(lua_State *L, void *owner);   /* a struct replay_world */
void replay_world_clear(struct replay_world *world); /* after its VM is closed */

/* Push serve(asked, dispatch, route index): answers with the status, type, location and body of what dispatch returns. */
void replay_world_push_serve(lua_State *L);

/* ---- replay_tools.c ---- */

struct replay_sides {
    struct replay_world before, after;
    struct loop *loop;
    unsigned limit_ms; /* an answer may take */
};

/* Push the tools of lua/init.lua's replay(asked, tools) (lua/meta/request.lua: ReplayTools). The sides must be prepared
 * for dispatch, and outlive the task that uses the tools. */
void replay_tools_push(lua_State *L, struct replay_sides *sides);
