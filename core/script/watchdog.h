/* watchdog.h: ends Lua code that computes for longer than its budget without waiting, also when it is compiled, hides in
 * pcall or loops in coroutines of its own (docs/adr/0004).
 *
 * How: while Lua runs, a helper thread watches this thread's CPU time. Over budget, a signal sets a count hook, and the
 * line-mode profiler makes compiled traces leave for the interpreter, where the hook yields the coroutine: no pcall sees
 * it, and its stack is whole for the log. Only one VM of a process can be profiled: the newest holds the watchdog and keeps
 * the JIT, the others are interpreted under the plain hook. */
#pragma once

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Start watching the calling thread, which is the one that runs Lua. Once a process, after fork. */
void watchdog_start(void);
void watchdog_stop(void);

/* Make this VM the one with the JIT; the former holder goes on interpreted. Runs a loop with a small budget to see that the
 * recipe works here; when it does not, the VM is interpreted and the reason logged. */
void watchdog_hold(lua_State *L);
/* Nobody has the JIT until the next hold: two VMs are compared, and only one of them could have it. */
void watchdog_share(void);
/* This VM is interpreted, from its beginning until it holds the watchdog, if ever; the holder stays what it is. */
void watchdog_forgo(lua_State *L);
/* Before the VM closes. */
void watchdog_leave(lua_State *L);
/* "jit", "interpreter" (the self-test failed) or "off" (not started). For status. */
const char *watchdog_mode(void);

/* Stop what is running at its next instruction, as if its time were over: it has used too much memory. For the
 * allocator; nothing happens when no Lua is running. */
void watchdog_stop_hoarder(void);
/* Everything that runs is stopped like that, one run after the other, until this is taken back. Safe in a signal handler, on any
 * thread; needs watchdog_start(). */
void watchdog_interrupt(bool on);
bool watchdog_is_interrupted(void);
/* Is Lua running right now, between begin and end? */
bool watchdog_is_running(void);
/* Has the outermost run that is on been told to stop? */
bool watchdog_is_overdue(void);
/* The same, for the allocator of a VM that grows to `used` bytes: stops the run that goes over its memory_top. */
bool watchdog_note_growth(size_t used);

/* One stretch of Lua, from resume to yield. Stretches nest: a guarded rule inside a request. What the inner ones use
 * counts for the outermost too, which is stopped when it runs again. */
struct watchdog_run {
    lua_State *co;     /* the coroutine that is stopped */
    const char *label; /* for the warning in the log */
    unsigned warn_ms, kill_ms;
    /* May be asked to let others run: after a slice of CPU time the coroutine yields, with `sliced` set. */
    bool sliceable;
    bool is_guarded;   /* a call inside a task rather than a task */
    size_t memory_top; /* bytes its VM may have in use when it allocates; 0 = no limit of its own */
    /* From slice to slice: what was used and said before; both 0 at the beginning. */
    int64_t used_ns;
    bool warned, forgiven;
    /* told at the end */
    bool sliced, over_memory, over_top;
    /* private */
    struct watchdog_run *outer;
    uint64_t id;
    int64_t since_ns;
    bool stopping;
};
void watchdog_begin(struct watchdog_run *run);
/* True when it was over its budget and has been told to stop: a coroutine that then lies suspended was stopped by us. */
bool watchdog_end(struct watchdog_run *run);
/* `run` has ended, stopped for its own budget: the time is not its caller's fault, whose budget begins anew, once. */
void watchdog_forgive(const struct watchdog_run *run);
/* CPU time of this run and the slices before it, at least 1: for `used_ns` of the next slice. */
int64_t watchdog_used_ns(const struct watchdog_run *run);

/* Where Lua stood when a timer's signal came. `state` is LuaJIT's: N compiled, I interpreted, C in a C function, G collecting
 * garbage, J compiling; in a VM without the compiler always I. */
struct watchdog_sample {
    lua_State *L; /* the coroutine that runs, perhaps one of the script's own */
    const struct watchdog_run *run;
    char state;
    unsigned weight; /* signals since the last sample */
};
typedef void watchdog_sampled(const struct watchdog_sample *sample);
/* Take a sample for each signal of a timer from now on; NULL ends it. Gives the signal a timer has to send to the Lua
 * thread. `take` must not run Lua code. */
int watchdog_sample(watchdog_sampled *take);
unsigned watchdog_sampled_outside(void); /* signals since then that came while no Lua ran */
