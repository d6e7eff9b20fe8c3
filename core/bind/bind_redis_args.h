/* bind_redis_args.h: the arguments of a Redis command, from Lua values. Strings are borrowed from the Lua stack, which
 * must keep them until the command was sent; nothing is allocated for a usual command. */
#pragma once

#include "base/slice.h"

#include <lua.h>
#include <stdbool.h>

enum { BIND_REDIS_ARGS_FEW = 16, BIND_REDIS_NUMBER_MAX = 32 };

struct bind_redis_args {
    size_t argc;
    struct slice *argv;
    char (*numbers)[BIND_REDIS_NUMBER_MAX];
    struct slice few_argv[BIND_REDIS_ARGS_FEW];
    char few_numbers[BIND_REDIS_ARGS_FEW][BIND_REDIS_NUMBER_MAX];
};

/* The values from `first` to the top. Raises on what is neither string nor finite number. */
void bind_redis_args_take(lua_State *L, struct bind_redis_args *args, int first);
/* (verb, script, keys, args) as EVAL and EVALSHA want them. */
void bind_redis_args_take_script(lua_State *L, struct bind_redis_args *args);

/* Raise on a command that would upset the other users of a shared connection, or the order of replies of any. */
void bind_redis_args_allow(lua_State *L, const struct bind_redis_args *args, bool dedicated);
