/* long_call.c: see long_call.h. */
#include "script/long_call.h"
#include "script/pattern.h"
#include "base/stack.h"
#include "long_call.lua.h"

#include <lauxlib.h>

enum { QUICK_STEPS = 20 * 1000 * 1000 }; /* of LuaJIT's own functions: some 20 ms at worst */

static const char instruction_key; /* registry key: its address */

/* A hook is set only when the watchdog wants something. It acts on an instruction of Lua, so give it one. It cannot yield
 * from inside of C and raises instead. */
void long_call_check(lua_State *L)
{
    if (!lua_gethook(L))
        return;
    luaL_checkstack(L, 2, "a long call");
    lua_pushlightuserdata(L, (void *)&instruction_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_call(L, 0, 0);
}

/* Before a function of the library calls back into Lua. */
static int l_check_depth(lua_State *L)
{
    return stack_is_deep()
               ? luaL_error(L, "stack overflow (callbacks and coroutines inside each other)")
               : 0;
}

static void open_with(lua_State *L, double quick_steps)
{
    pattern_prepare();
    lua_pushlightuserdata(L, (void *)&instruction_key);
    luaL_loadstring(L, "");
    lua_rawset(L, LUA_REGISTRYINDEX);
    if (luaL_loadbuffer(L, (const char *)long_call_lua, sizeof long_call_lua, "=long_call") != 0)
        lua_error(L);
    lua_pushcfunction(L, pattern_find);
    lua_pushcfunction(L, pattern_match);
    lua_pushcfunction(L, pattern_next_match);
    lua_pushcfunction(L, pattern_gsub);
    lua_pushnumber(L, quick_steps);
    lua_pushcfunction(L, l_check_depth);
    lua_call(L, 6, 0);
}

void long_call_open(lua_State *L)
{
    open_with(L, QUICK_STEPS);
}
