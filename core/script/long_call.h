/* long_call.h: library functions that may compute for long inside C, where no hook of the watchdog fires: how they let
 * it in, and versions of Lua's own that do (docs/adr/0013). */
#pragma once

#include <lua.h>

/* Put the versions that can be stopped into string and table: find, match, gmatch, gsub, sort. Once a state, after the
 * libraries and before anything copies them. */
void long_call_open(lua_State *L);

/* To be called now and then by a C function that may take long. Raises when the script has to stop, so what the function
 * holds must be garbage that Lua collects. */
void long_call_check(lua_State *L);
