/* bind_timer.c: host.timer: functions run later, each run a task of its own. A timer belongs to the
 * generation that made it: one made by its start begins when it goes live, and all stop when it is retired. */
#include "bind/bind.h"
#include "base/mem.h"
#include "net/loop.h"
#include "script/generation.h"
#include "script/task.h"

#include <stdlib.h>

static const char handle_meta[] = "fura.timer";

struct timer {
    struct generation *generation;
    struct loop_timer *timer;
    struct task_cleanup cleanup;     /* at the generation's retirement */
    struct generation_waiter waiter; /* made in standby: it begins when the generation goes live */
    int64_t delay_ms, interval_ms;   /* interval 0 = once */
    int fn_ref, self_ref;            /* self_ref keeps the handle while it may fire or runs */
    bool running, cancelled;
};

/* Frees nothing Lua may still point to: the handle itself is a userdata, and a run under way reports to it. */
static void stop(struct timer *timer)
{
    if (timer->cancelled)
        return;
    lua_State *L = generation_lua(timer->generation);
    timer->cancelled = true;
    generation_defer_remove(&timer->cleanup);
    generation_await_remove(&timer->waiter);
    loop_timer_free(timer->timer);
    timer->timer = NULL;
    luaL_unref(L, LUA_REGISTRYINDEX, timer->fn_ref);
    if (!timer->running)
        luaL_unref(L, LUA_REGISTRYINDEX, timer->self_ref);
}

static void on_retired(void *owner)
{
    stop(owner);
}

static void on_run_end(void *owner, struct task *task, const struct task_end *end)
{
    struct timer *timer = owner;
    timer->running = false;
    task_report(task, end);
    if (timer->cancelled)
        luaL_unref(generation_lua(timer->generation), LUA_REGISTRYINDEX, timer->self_ref);
    else
        loop_timer_start(timer->timer, timer->interval_ms);
}

static void on_fire(void *owner)
{
    struct timer *timer = owner;
    struct generation *generation = timer->generation;
    lua_State *L = generation_lua(generation);
    struct task_spec spec = {.label = "timer"};

    lua_rawgeti(L, LUA_REGISTRYINDEX, timer->fn_ref);
    if (timer->interval_ms == 0) {
        stop(timer);
    } else {
        timer->running = true;
        spec.on_end = on_run_end;
        spec.owner = timer;
    }
    task_spawn(generation, L, 0, &spec);
}

static void begin(void *owner)
{
    struct timer *timer = owner;
    loop_timer_start(timer->timer, timer->delay_ms);
}

static int start(lua_State *L, int64_t interval_ms)
{
    double delay_ms = luaL_checknumber(L, 1);
    luaL_argcheck(L, delay_ms >= 0 && delay_ms < 1e12, 1, "a delay in milliseconds");
    luaL_checktype(L, 2, LUA_TFUNCTION);
    struct generation *generation = generation_of(L);
    if (!generation)
        return luaL_error(L, "host.timer needs a running task to know whose timer it is");

    struct timer *timer = lua_newuserdata(L, sizeof *timer);
    *timer = (struct timer){.generation = generation,
                            .waiter = {.run = begin, .owner = timer},
                            .delay_ms = (int64_t)delay_ms,
                            .interval_ms = interval_ms};
    luaL_getmetatable(L, handle_meta);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, 2);
    timer->fn_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, -1);
    timer->self_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    timer->cleanup.undo = on_retired;
    timer->cleanup.owner = timer;
    generation_defer(generation, &timer->cleanup);
    timer->timer = loop_timer_new(generation_loop(generation), on_fire, timer);
    bool is_early = interval_ms > 0 && generation_is_standby(generation);
    if (is_early || generation_holds_back(generation))
        generation_await(generation, &timer->waiter);
    else
        begin(timer);
    return 1;
}

static int l_after(lua_State *L)
{
    return start(L, 0);
}

static int l_every(lua_State *L)
{
    double interval_ms = luaL_checknumber(L, 1);
    luaL_argcheck(L, interval_ms >= 1 && interval_ms < 1e12, 1, "an interval of at least 1 ms");
    return start(L, (int64_t)interval_ms);
}

static int l_cancel(lua_State *L)
{
    stop(luaL_checkudata(L, 1, handle_meta));
    return 0;
}

static const luaL_Reg functions[] = {
    {"after", l_after},
    {"every", l_every},
    {NULL, NULL},
};
static const luaL_Reg handle_methods[] = {{"cancel", l_cancel}, {NULL, NULL}};

void bind_timer_open(lua_State *L, struct host *host)
{
    bind_class(L, handle_meta, handle_methods, NULL);
    bind_module(L, functions, host);
}
