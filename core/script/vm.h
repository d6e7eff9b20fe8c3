/* vm.h: one Lua state: safe libraries, frozen globals, and our `require`, which loads from the
 * bundle and knows who asks: the layer rules of docs/ARCHITECTURE.md are enforced here. */
#pragma once

#include "base/bundle.h"
#include "base/result.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct vm_options {
    const struct bundle *bundle;                  /* borrowed for the life of the state */
    void (*open_host)(lua_State *L, void *owner); /* pushes the table `host` */
    void *open_host_owner;
    size_t
        memory_limit_bytes; /* 0 = none. Running scripts fail with "not enough memory" beyond it; what the core
                                  hands to a parked script may go over it, since nothing could catch that */
    bool tooling; /* `fura test`, `run`, `console`: all standard libraries and the system's package
                     path as well */
};

/* Give a state, or NULL and a line in `problem` when the prelude itself failed. */
lua_State *vm_new(const struct vm_options *options, struct failure *why);
void vm_free(lua_State *L);

/* Freeing a whole application at once takes many milliseconds. Instead: let go of all it holds, after which nothing can run in it,
 * then collect in small steps. A step tells whether it ended a cycle; after two nearly nothing is left for vm_free(). */
enum { VM_CYCLES = 2 };
void vm_let_go(lua_State *L);
bool vm_collect_step(lua_State *L);

size_t vm_memory(lua_State *L); /* bytes in use */

/* May a VM refuse memory far beyond its limit? While a script runs: it is an error like any other. Not for what the core pushes
 * by itself, where nobody would catch it. Gives what held before, to be put back: runs nest. */
bool vm_refuse_memory(bool may);

/* Replace the error value on top of the failed coroutine `co` by two strings: the message, and the
 * message with the full Lua stack. */
void vm_describe_error(lua_State *co);
/* Errors of code that did not raise one itself, for above: it was stopped, or it yielded where nobody resumes it. */
extern const char vm_over_budget[], vm_over_memory[];
void vm_push_stray_yield(lua_State *co); /* in place of what it yielded */
/* Is the error on top a failure with the code script_timeout? A rule that was stopped, and has no predecessor, raises one. */
bool vm_is_late_failure(lua_State *co);

/* The bundle the state was made with. */
const struct bundle *vm_bundle(lua_State *L);

/* Push the function that loads the application: `require "init"`, then its start(); it returns
 * init's table. */
void vm_push_boot(lua_State *L);
