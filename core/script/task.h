/* task.h: a running piece of Lua: one coroutine of a generation with a deadline, a name and an end.
 *
 * A task runs until it returns, raises, is cancelled, or its deadline passes. While it waits it is
 * parked on one wait ticket (wait.h). One that computes for long is interrupted to let others run and goes on after them
 * (docs/adr/0012). Only task.c resumes coroutines. */
#pragma once

#include "base/result.h"
#include "base/slice.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct generation;
struct task;

/* How a task ended. On R_OK the results are on `co` (count in `results`). R_REJECTED: it raised,
 * and `error` is the message with the full Lua stack. R_TIMEOUT / R_CANCELLED: stopped by its
 * deadline or by task_cancel(). */
struct task_end {
    enum result rc;
    lua_State *co;
    int results;
    const char *error;   /* message and traceback, borrowed */
    const char *message; /* the message alone, borrowed */
    bool over_budget;    /* R_REJECTED because the watchdog stopped it, or a rule it called */
};

struct task_spec {
    unsigned cpu_budget_ms; /* between two waits; 0 = that of task_set_budget() */
    unsigned
        memory_kb; /* by which it may make the VM grow between two waits; 0 = no limit of its own */
    bool
        in_one_go; /* never interrupted to let others run: it must end before its spawner goes on */
    const char *label;   /* what `fura ps` shows: a route or job name; at most 63 bytes are kept */
    int64_t deadline_ms; /* monotonic; 0 = none */
    struct slice log_id; /* for its log lines; data NULL: that of the spawning task */
    struct slice trace;  /* the caller's traceparent; data NULL: that of the spawning task */
    void (*on_end)(void *owner, struct task *task,
                   const struct task_end *end); /* may be NULL: errors are logged */
    void *owner;
};

/* Start a task from the values on top of `from` (a state of the generation): the function and
 * `nargs` arguments are popped. Runs at once up to its first wait; on_end may therefore run inside
 * this call. The task belongs to the runtime and frees itself after on_end; the pointer given back
 * is NULL when it already ended. */
struct task *task_spawn(struct generation *generation, lua_State *from, int nargs,
                        const struct task_spec *spec);

/* CPU time a task may use between two waits: beyond `warn_ms` its stack is logged, at `kill_ms` it is stopped. 0 = no limit.
 * Takes effect where watchdog_start() was called. */
void task_set_budget(unsigned warn_ms, unsigned kill_ms);

/* End a parked task: its waits are abandoned, its cleanups run, on_end is told. Safe on the running
 * task too: it ends at its next wait. */
void task_cancel(struct task *task, enum result why);

/* What happens to an end nobody handles: a raise is logged with its stack. For on_end functions
 * that add to it. */
void task_report(const struct task *task, const struct task_end *end);
const char *task_label(const struct task *task);

/* The task that runs the code on `L` (also inside its inner coroutines); NULL outside of tasks. */
struct task *task_of(lua_State *L);
struct generation *task_generation(const struct task *task);
int64_t task_deadline_ms(const struct task *task); /* 0 = none */
/* Milliseconds until the deadline, at most `cap`; at least 1, so that a driver still reports the
 * timeout. */
unsigned task_timeout_ms(const struct task *task, unsigned cap);
/* The id this task's log lines carry (a request id). Never NULL. */
const char *task_log_id(const struct task *task);
/* The traceparent that calls made by this task continue; empty when there is none. Never NULL. */
const char *task_trace(const struct task *task);

/* Run `undo(owner)` when the task ends in any way, newest first, unless removed before. The node
 * belongs to the caller. Lua cleanup code does not run in a cancelled task, so every resource a
 * binding holds for a task (a transaction, a permit) is held by one of these. */
struct task_cleanup {
    void (*undo)(void *owner);
    void *owner;
    struct task_cleanup *next, *prev; /* private */
};
void task_defer(struct task *task, struct task_cleanup *cleanup);
void task_defer_remove(struct task_cleanup *cleanup);

/* Time spent parked, by what was waited for: for the access log. */
struct task_wait_time {
    const char *what;
    int64_t total_us;
    unsigned count;
};
unsigned task_wait_times(const struct task *task, struct task_wait_time *out, unsigned max);

/* ---- for `fura ps` and status ---- */
struct task_info {
    uint64_t id;
    const char *label, *waits_for; /* waits_for: "redis", "pg", … or NULL while running */
    bool sliced;                   /* computes for long, and others have their turn now */
    int64_t age_ms;
    struct generation *generation;
};
void task_each(void (*visit)(void *owner, const struct task_info *info), void *owner);
unsigned task_count(void);
struct task *task_find(uint64_t id);
