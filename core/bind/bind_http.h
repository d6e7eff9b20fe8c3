/* bind_http.h: the parts of host.http; shared by the bind_http*.c files only. */
#pragma once

#include <lua.h>

/* Add escape, parse_query and the like to the table on top. */
void bind_http_add_text_functions(lua_State *L);
