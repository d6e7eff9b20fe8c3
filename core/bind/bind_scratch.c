/* bind_scratch.c: one buffer for results on their way to Lua. It is never freed between calls, so that a raise while
 * it is in use (lua_pushlstring out of memory, a wrong argument) leaks nothing. */
#include "bind/bind.h"

enum { KEPT_BYTES = 64 << 10 };

static struct buf scratch;

struct buf *bind_scratch(void)
{
    if (scratch.cap > KEPT_BYTES)
        buf_free(&scratch);
    buf_clear(&scratch);
    return &scratch;
}

int bind_push_scratch(lua_State *L)
{
    bind_push_slice(L, buf_slice(&scratch));
    return 1;
}
