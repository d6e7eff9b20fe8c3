/* generation.h: one whole VM with everything loaded: built beside the live one, swapped whole or
 * not at all, and closed after its last task. */
#pragma once

#include "base/bundle.h"
#include "base/result.h"
#include "net/http.h"
#include "script/task.h"

#include <lua.h>
#include <stdint.h>

struct generation;
struct loop;

struct generation_recipe {
    uint64_t number;
    struct bundle *bundle; /* taken: freed with the generation */
    struct loop *loop;
    void (*open_host)(lua_State *L, void *owner);
    void *open_host_owner;
    size_t memory_limit_bytes; /* see vm_options */
    bool tooling;
    unsigned build_timeout_ms;
    bool interpreted; /* never compiled, so that the live one stays so (watchdog.h) */
    bool standby;     /* until generation_enliven(): another one is the live one */
};

/* Build it: a VM, `require "init"` inside a task, then init.start() when there is one (which may do
 * I/O), so the verdict comes later: `built` runs exactly once, never before this returned. On R_OK
 * it gives the generation; else `problems` has a line each, «file:line: message», and nothing is
 * left behind. */
typedef void generation_built(void *owner, struct generation *generation, enum result rc,
                              struct slice problems);
void generation_build(const struct generation_recipe *recipe, generation_built *built, void *owner);

/* No new tasks will start; closes after the last one, or `deadline_ms` (monotonic) cancels what is
 * left. `closed` (may be NULL) is told when the VM is gone. */
void generation_retire(struct generation *generation, int64_t deadline_ms,
                       void (*closed)(void *owner), void *owner);

/* Keep the VM open without a task (for a request whose body is still coming). Each hold needs a
 * release. */
void generation_hold(struct generation *generation);
void generation_release(struct generation *generation);

/* From standby to live. What the application set up at its start (timers, subscriptions) begins now. */
void generation_enliven(struct generation *generation);
bool generation_is_standby(const struct generation *generation);
/* In standby, and its start still runs: what is set up now waits. */
bool generation_holds_back(const struct generation *generation);
/* Run once when it goes live, unless taken back before. The node belongs to the caller. */
struct generation_waiter {
    void (*run)(void *owner);
    void *owner;
    struct generation_waiter *next, *prev; /* private */
};
void generation_await(struct generation *generation, struct generation_waiter *waiter);
void generation_await_remove(struct generation_waiter *waiter); /* harmless when it does not wait */

/* Undo at retirement: timers and subscriptions of a generation stop when it is no longer the live
 * one. The node belongs to the caller, who may take it back before. */
void generation_defer(struct generation *generation, struct task_cleanup *cleanup);
void generation_defer_remove(struct task_cleanup *cleanup);
/* The generation whose code runs on `L` now; NULL outside of tasks. */
struct generation *generation_of(lua_State *L);
struct loop *generation_loop(const struct generation *generation);

uint64_t generation_number(const struct generation *generation);
const struct bundle *generation_bundle(const struct generation *generation);
lua_State *generation_lua(
    const struct generation *generation); /* main state: push functions here, then task_spawn */
unsigned generation_tasks(const struct generation *generation);
/* Told to end: its timers and subscriptions have stopped, its tasks may finish. */
bool generation_is_retired(const struct generation *generation);

/* Something a user of the generation keeps with it (its compiled routes); freed when the VM closes.
 */
void generation_attach(struct generation *generation, void *data, void (*free_data)(void *data));
void *generation_attached(const struct generation *generation);

/* Push a member of the table that lua/init.lua returned; nil when absent. Runs none of its code: nobody would catch a
 * raise. */
void generation_push_member(struct generation *generation, const char *name);
