/* offload.h: one helper thread for work that would block the loop (scrypt). Signals are blocked on it. */
#pragma once

#include "base/result.h"

struct loop;
struct offload;

struct offload *offload_new(struct loop *loop); /* the thread itself starts with the first work */
/* `work` runs on the thread, then `done` on the loop. Both get `owner`; `done` always runs, exactly once, and never
 * before this returned. R_OVERLOADED: too much is waiting already, neither will run. */
enum result offload_run(struct offload *offload, void (*work)(void *owner),
                        void (*done)(void *owner), void *owner);
/* Waits for the running work. What still waits is not run, only its `done`: let `owner` start out as «not done». */
void offload_free(struct offload *offload);
