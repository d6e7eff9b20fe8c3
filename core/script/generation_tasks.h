/* generation_tasks.h: what task.c and generation.c ask of each other; nobody else includes it. */
#pragma once

#include "base/result.h"

#include <lua.h>
#include <stdint.h>

struct generation;
struct task;
struct task_cleanup;

/* A Lua thread for a task, anchored by `*ref`; finished ones are used again. */
lua_State *generation_take_thread(struct generation *generation, int *ref);
void generation_give_thread(struct generation *generation, lua_State *co, int ref, bool reusable);
void generation_task_started(struct generation *generation);
void generation_task_ended(struct generation *generation);

void task_cancel_all(const struct generation *generation, enum result why);
/* Put one at the end of the list that begins at `head`. */
void task_cleanup_append(struct task_cleanup *head, struct task_cleanup *cleanup);
/* Free what the scheduler keeps for reuse; before the loop goes. */
void task_drop_pool(void);
