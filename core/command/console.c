/* console.c: `fura console`: a prompt inside the runtime. Lines are read on the helper thread, so that timers and
 * connections live on while a person thinks; what a line means is console.lua's business. Each runs in a task of its own:
 * Ctrl-C ends that one, and at the prompt the console. */
#include "command/interrupt.h"
#include "command/session.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/offload.h"
#include "script/generation.h"
#include "script/wait.h"
#include "script/watchdog.h"
#include "console.lua.h"

#include <lauxlib.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct console {
    struct generation *generation;
    struct offload *offload;
    struct wait *wait; /* for the end of the line that runs */
    int function_ref;
    struct loop_later begins;
    struct task *line; /* while it waits */
};

/* ---- reading ---- */

struct reading {
    struct wait *wait;
    char *line;
    size_t size;
    ssize_t len;
};

/* A signal is the end of the input: nobody could end getline(). */
static void read_on_thread(void *owner)
{
    struct reading *reading = owner;
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = interrupt_fd(), .events = POLLIN}};

    clearerr(stdin); /* a line that read it itself may have been interrupted */
    if (poll(fds, 2, -1) > 0 && !fds[1].revents)
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
    const struct console *console = lua_touserdata(L, lua_upvalueindex(1));
    const char *prompt = luaL_checkstring(L, 1);
    struct wait *wait = wait_begin(L, "input");
    struct reading *reading = mem_new(struct reading);

    fputs(prompt, stdout);
    fflush(stdout);
    reading->wait = wait;
    if (offload_run(console->offload, read_on_thread, on_line_read, reading) != R_OK) {
        free(reading);
        wait_abandon(wait);
        return 0;
    }
    return wait_yield(L, wait);
}

/* ---- running ---- */

static void on_line_ended(void *owner, struct task *task, const struct task_end *end)
{
    struct console *console = owner;
    (void)task;

    console->line = NULL;
    session_print_end(end);
    if (interrupt_signal() == SIGINT)
        interrupt_clear();
    wait_finish(console->wait, 0);
}

static void on_line_begins(void *owner)
{
    struct console *console = owner;
    lua_State *L = generation_lua(console->generation);
    struct task_spec spec = {.label = "line", .on_end = on_line_ended, .owner = console};

    lua_rawgeti(L, LUA_REGISTRYINDEX, console->function_ref);
    luaL_unref(L, LUA_REGISTRYINDEX, console->function_ref);
    console->line = task_spawn(console->generation, L, 0, &spec);
}

/* run(function). Begins from the loop: inside this call its time, and an order to stop, would be the console's too. */
static int l_run(lua_State *L)
{
    struct console *console = lua_touserdata(L, lua_upvalueindex(1));

    luaL_checktype(L, 1, LUA_TFUNCTION);
    console->wait = wait_begin(L, "line");
    lua_settop(L, 1);
    console->function_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    loop_later(generation_loop(console->generation), &console->begins, on_line_begins, console);
    return wait_yield(L, console->wait);
}

/* At the prompt read_on_thread() has seen the signal. */
static void stop_line(void *owner)
{
    struct console *console = owner;
    if (console->line)
        task_cancel(console->line, R_CANCELLED);
}

/* ---- the command ---- */

static void push_function(lua_State *L, lua_CFunction function, struct console *console)
{
    lua_pushlightuserdata(L, console);
    lua_pushcclosure(L, function, 1);
}

static int converse(struct session *session)
{
    struct generation *generation = session_generation(session);
    struct console console = {.generation = generation,
                              .offload = offload_new(generation_loop(generation))};
    struct slice source = slice_of((const char *)console_lua, sizeof console_lua);
    int status = EXIT_REFUSED;

    setvbuf(stdin, NULL, _IONBF, 0); /* what poll() does not see would wait for the next line */
    if (session_load(session, source, "=console.lua")) {
        lua_State *L = session_lua(session);
        push_function(L, l_read_line, &console);
        push_function(L, l_run, &console);
        lua_pushboolean(L, isatty(STDIN_FILENO));
        session_heed_signals(session, stop_line, &console);
        status = session_call(session, 3, "console");
    }
    offload_free(console.offload);
    return status;
}

int console_run(const struct invocation *invocation)
{
    int status = EXIT_REFUSED;

    watchdog_start(); /* for Ctrl-C */
    struct session *session = session_open(invocation, "console", true);
    if (session) {
        status = converse(session);
        session_close(session);
    }
    watchdog_stop();
    return status;
}
