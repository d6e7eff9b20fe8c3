/* replay_tools.c: answering a recorded request with one of two generations, for the script that compares them (see
 * replay_world.h). One answer at a time; what runs it is a task of that generation with a deadline. */
#include "bind/replay_world.h"
#include "bind/dispatch.h"
#include "bind/routes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/percent.h"
#include "net/loop.h"
#include "net/router.h"
#include "script/generation.h"
#include "script/task.h"
#include "script/wait.h"

#include <stdlib.h>

/* One request being answered. The steps are made by the loop, so that no side runs inside the other. */
struct answering {
    struct loop *loop;
    struct replay_world *world;
    struct wait *wait;
    struct loop_later later;
    unsigned limit_ms;
    struct buf asked; /* JSON */
    struct task *task;
    bool has_route;
    int status; /* 0: it did not answer */
    struct buf type, location, body, error;
};

/* ---- giving it to the script ---- */

static void set(lua_State *L, const char *name, struct slice value)
{
    bind_push_slice(L, value);
    lua_setfield(L, -2, name);
}

static void push_outcome(lua_State *L, const struct answering *answering)
{
    lua_createtable(L, 0, 7);
    if (answering->status) {
        lua_pushinteger(L, answering->status);
        lua_setfield(L, -2, "status");
    }
    set(L, "type", buf_slice(&answering->type));
    set(L, "location", buf_slice(&answering->location));
    set(L, "body", buf_slice(&answering->body));
    lua_pushboolean(L, answering->has_route);
    lua_setfield(L, -2, "route");
    if (answering->error.len > 0)
        set(L, "error", buf_slice(&answering->error));
    if (answering->world->needs.len > 0)
        set(L, "needs", buf_slice(&answering->world->needs));
}

static void on_told(void *owner)
{
    struct answering *answering = owner;
    struct wait *wait = answering->wait;
    lua_State *L = wait_lua(wait);

    if (L)
        push_outcome(L, answering);
    buf_free(&answering->asked);
    buf_free(&answering->type);
    buf_free(&answering->location);
    buf_free(&answering->body);
    buf_free(&answering->error);
    free(answering);
    wait_finish(wait, L ? 1 : 0);
}

static void tell_later(struct answering *answering)
{
    loop_later(answering->loop, &answering->later, on_told, answering);
}

/* ---- answering ---- */

static void take_text(lua_State *L, int index, struct buf *out)
{
    size_t len = 0;
    const char *text = lua_tolstring(L, index, &len);
    buf_append(out, text ? text : "", len);
}

static void describe_failure(struct answering *answering, const struct task_end *end)
{
    const char *text = end->rc == R_REJECTED  ? end->message
                       : end->rc == R_TIMEOUT ? "it took too long"
                                              : "it was ended";
    buf_append_slice(&answering->error, slice_cstr(text));
}

static void on_answered(void *owner, struct task *task, const struct task_end *end)
{
    struct answering *answering = owner;
    (void)task;

    answering->task = NULL;
    if (end->rc == R_OK) {
        answering->status = (int)lua_tointeger(end->co, 1);
        take_text(end->co, 2, &answering->type);
        take_text(end->co, 3, &answering->location);
        take_text(end->co, 4, &answering->body);
    } else {
        describe_failure(answering, end);
    }
    tell_later(answering);
}

static void push_params(lua_State *L, const struct router_match *match)
{
    struct buf text = {0};
    lua_createtable(L, 0, (int)match->param_count);
    for (unsigned i = 0; i < match->param_count; i++) {
        const struct router_param *param = &match->params[i];
        buf_clear(&text);
        bind_push_slice(L, param->name);
        bind_push_slice(L, percent_decode(param->value, false, &text) ? buf_slice(&text)
                                                                      : param->value);
        lua_rawset(L, -3);
    }
    buf_free(&text);
}

static struct slice text_of(lua_State *L, const char *name)
{
    struct slice value = {"", 0};
    lua_getfield(L, -1, name);
    if (lua_type(L, -1) == LUA_TSTRING)
        value.data = lua_tolstring(L, -1, &value.len);
    lua_pop(L, 1); /* the table keeps it */
    return value;
}

/* The recorded request is at the top: find its route in this generation, and add what that says. */
static int add_route(lua_State *L, struct answering *answering)
{
    const struct routes *routes = routes_of(answering->world->generation);
    struct router_match match = {0};
    enum result rc = router_match(routes->router, text_of(L, "method"), text_of(L, "path"), &match);

    answering->has_route = rc == R_OK;
    push_params(L, &match);
    lua_setfield(L, -2, "params");
    lua_pushstring(L, rc == R_OK ? routes->list[match.index - 1].pattern : NULL);
    lua_setfield(L, -2, "route");
    lua_pushstring(L, rc == R_DENIED ? match.allow : NULL);
    lua_setfield(L, -2, "allow");
    return rc == R_OK ? match.index : 0;
}

static void on_due(void *owner)
{
    struct answering *answering = owner;
    struct generation *generation = answering->world->generation;
    lua_State *L = generation_lua(generation);
    struct failure why = {0};

    if (!wait_lua(answering->wait)) { /* nobody waits any more */
        tell_later(answering);
        return;
    }
    replay_world_push_serve(L);
    if (!bind_json_decode(L, buf_slice(&answering->asked), &why) || !lua_istable(L, -1)) {
        lua_pop(L, 2);
        buf_append_slice(&answering->error, SLICE("this is no recorded request"));
        tell_later(answering);
        return;
    }
    int index = add_route(L, answering);
    lua_rawgeti(L, LUA_REGISTRYINDEX, routes_of(generation)->dispatch_ref);
    lua_pushinteger(L, index);
    buf_clear(&answering->world->needs);
    answering->task =
        task_spawn(generation, L, 3,
                   &(struct task_spec){.label = "replay",
                                       .deadline_ms = clock_monotonic_ms() + answering->limit_ms,
                                       .log_id = SLICE("replay"),
                                       .trace = SLICE(""),
                                       .on_end = on_answered,
                                       .owner = answering});
}

static void on_cancelled(void *owner)
{
    struct answering *answering = owner;
    if (answering->task)
        task_cancel(answering->task, R_CANCELLED);
}

/* ---- the tools ---- */

static struct replay_sides *sides_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static struct replay_world *check_side(lua_State *L, struct replay_sides *sides)
{
    static const char *const names[] = {"before", "after", NULL};
    return luaL_checkoption(L, 1, NULL, names) == 0 ? &sides->before : &sides->after;
}

/* answer(side, recorded) -> outcome */
static int l_answer(lua_State *L)
{
    struct replay_sides *sides = sides_of(L);
    struct replay_world *world = check_side(L, sides);
    struct slice asked = bind_check_slice(L, 2);
    struct wait *wait = wait_begin(L, "replay");
    struct answering *answering = mem_new(struct answering);

    answering->loop = sides->loop;
    answering->limit_ms = sides->limit_ms;
    answering->world = world;
    answering->wait = wait;
    buf_append_slice(&answering->asked, asked);
    loop_later(sides->loop, &answering->later, on_due, answering);
    wait_on_cancel(wait, on_cancelled, answering);
    return wait_yield(L, wait);
}

/* errors(side) -> {text, count}[] */
static int l_errors(lua_State *L)
{
    const struct replay_world *world = check_side(L, sides_of(L));
    lua_createtable(L, (int)world->error_count, 0);
    for (unsigned i = 0; i < world->error_count; i++) {
        lua_createtable(L, 0, 2);
        set(L, "text", slice_cstr(world->errors[i].text));
        lua_pushinteger(L, (lua_Integer)world->errors[i].count);
        lua_setfield(L, -2, "count");
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

static const luaL_Reg tools[] = {{"answer", l_answer}, {"errors", l_errors}, {NULL, NULL}};

void replay_tools_push(lua_State *L, struct replay_sides *sides)
{
    bind_module(L, tools, sides);
}
