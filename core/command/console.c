/* console.c: `fura console`: a prompt inside the runtime. Lines are read on the helper thread, so that timers and
 * connections live on while a person thinks; what a line means is console.lua's business. */
#include "command/session.h"
#include "base/mem.h"
#include "net/offload.h"
#include "script/generation.h"
#include "script/wait.h"
#include "console.lua.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct reading {
    struct wait *wait;
    char *line;
    size_t size;
    ssize_t len;
};

static void read_on_thread(void *owner)
{
    struct reading *reading = owner;
    reading->len = getline(&reading->line, &reading->size, stdin);
}

static void on_line_read(void *owner)
{
    struct reading *reading = owner;
    lua_State *L = wait_lua(reading->wait);
    ssize_t len = reading->len;

    if (len > 0 && reading->line[len - 1] == '\n')
        len--;
    if (L && reading->len > 0)
        lua_pushlstring(L, reading->line, (size_t)len);
    wait_finish(reading->wait, L && reading->len > 0 ? 1 : 0);
    free(reading->line);
    free(reading);
}

static int l_read_line(lua_State *L)
{
    struct offload *offload = lua_touserdata(L, lua_upvalueindex(1));
    const char *prompt = luaL_checkstring(L, 1);
    struct wait *wait = wait_begin(L, "input");
    struct reading *reading = mem_new(struct reading);

    fputs(prompt, stdout);
    fflush(stdout);
    reading->wait = wait;
    if (offload_run(offload, read_on_thread, on_line_read, reading) != R_OK) {
        free(reading);
        wait_abandon(wait);
        return 0;
    }
    return wait_yield(L, wait);
}

int console_run(const struct invocation *invocation)
{
    int status = EXIT_REFUSED;
    struct session *session = session_open(invocation, "console", true);

    if (!session)
        return EXIT_REFUSED;
    struct offload *offload = offload_new(generation_loop(session_generation(session)));
    struct slice source = slice_of((const char *)console_lua, sizeof console_lua);
    if (session_load(session, source, "=console.lua")) {
        lua_State *L = session_lua(session);
        lua_pushlightuserdata(L, offload);
        lua_pushcclosure(L, l_read_line, 1);
        lua_pushboolean(L, isatty(STDIN_FILENO));
        status = session_call(session, 2, "console");
    }
    offload_free(offload);
    session_close(session);
    return status;
}
