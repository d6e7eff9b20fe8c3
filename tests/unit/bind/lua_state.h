/* lua_state.h: what the unit tests of small bindings share: a bare Lua state with one module as `m`. */
#pragma once

#include "../base/unit.h"
#include "bind/bind.h"

#include <lualib.h>

static lua_State *L;

static inline void lua_state_open(void (*open)(lua_State *, struct host *), struct host *host)
{
    L = luaL_newstate();
    luaL_openlibs(L);
    open(L, host);
    assert_int_equal(lua_gettop(L), 1);
    lua_setglobal(L, "m");
}

/* What the chunk returns, as text: values joined by a blank; «raised: …» for an error. */
static inline const char *lua_state_run(const char *chunk)
{
    static char out[4096];
    static const char wrap[] = "local chunk = assert(loadstring(..., '=t')) "
                               "local r = { pcall(chunk) } "
                               "local n = table.maxn(r) "
                               "if not r[1] then return 'raised: ' .. tostring(r[2]) end "
                               "for i = 2, n do r[i] = tostring(r[i]) end "
                               "return table.concat(r, ' ', 2, n)";
    assert_int_equal(luaL_loadstring(L, wrap), 0);
    lua_pushstring(L, chunk);
    lua_call(L, 1, 1);
    snprintf(out, sizeof out, "%s", lua_tostring(L, -1));
    lua_settop(L, 0);
    return out;
}

#define assert_lua(chunk, expected) assert_string_equal(lua_state_run(chunk), expected)
