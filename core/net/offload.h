/* offload.h: one helper thread for work that would block the loop (scrypt). Signals are blocked on it. */
#pragma once

struct loop;
struct offload;

struct offload *offload_new(struct loop *loop);
/* `work` runs on the thread, then `done` on the loop. Both get `owner`; `done` always runs, exactly once. */
void offload_run(struct offload *offload, void (*work)(void *owner), void (*done)(void *owner),
                 void *owner);
void offload_free(struct offload *offload); /* waits for the running work */
