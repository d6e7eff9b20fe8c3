/* vm.h: one Lua state: safe libraries, frozen globals, and our `require`, which loads from the bundle and knows
 * who asks: the layer rules of docs/ARCHITECTURE.md are enforced here. */
#pragma once

#include "base/bundle.h"
#include "base/result.h"

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct vm_options {
    const struct bundle *bundle; /* borrowed for the life of the state */
    void (*open_host)(lua_State *L, void *owner); /* pushes the table `host` */
    void *open_host_owner;
    size_t memory_limit_bytes; /* 0 = none */
    bool tooling; /* `fura test`, `run`, `console`: all standard libraries and the system's package path as well */
};

lua_State *vm_new(const struct vm_options *options);
void vm_free(lua_State *L);
size_t vm_memory(lua_State *L); /* bytes in use */

/* The message with the full Lua stack of `co`, pushed on `L`. */
void vm_traceback(lua_State *L, lua_State *co, const char *message);
