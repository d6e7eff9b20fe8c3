/* bind_subscription.c: see bind_subscription.h. */
#include "bind/bind_subscription.h"
#include "bind/bind.h"
#include "script/generation.h"

struct bind_subscription {
    const struct bind_subscription_kind *kind;
    struct generation *generation;
    void *source; /* NULL once closed */
    struct task_cleanup cleanup;
    struct generation_waiter waiter; /* it has missed messages in standby */
    bool in_standby;                 /* wants them there too */
    int fn_ref, self_ref;
};

static void close_subscription(void *owner)
{
    struct bind_subscription *subscription = owner;
    if (!subscription->source)
        return;
    lua_State *L = generation_lua(subscription->generation);
    subscription->kind->stop(subscription->source);
    subscription->source = NULL;
    generation_defer_remove(&subscription->cleanup);
    generation_await_remove(&subscription->waiter);
    luaL_unref(L, LUA_REGISTRYINDEX, subscription->fn_ref);
    luaL_unref(L, LUA_REGISTRYINDEX, subscription->self_ref);
}

static int l_close(lua_State *L)
{
    const struct bind_subscription_kind *kind = lua_touserdata(L, lua_upvalueindex(1));
    close_subscription(luaL_checkudata(L, 1, kind->class_name));
    return 0;
}

void bind_subscription_class(lua_State *L, const struct bind_subscription_kind *kind)
{
    luaL_newmetatable(L, kind->class_name);
    lua_newtable(L);
    lua_pushlightuserdata(L, (void *)(uintptr_t)kind);
    lua_pushcclosure(L, l_close, 1);
    lua_setfield(L, -2, "close");
    lua_setfield(L, -2, "__index");
    bind_hide_metatable(L);
    lua_pop(L, 1);
}

static void on_live(void *owner)
{
    bind_subscription_message(owner, (struct slice){0});
}

struct bind_subscription *bind_subscription_push(lua_State *L,
                                                 const struct bind_subscription_kind *kind)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    bool in_standby = bind_opt_bool(L, 3, "standby", false);
    struct generation *generation = generation_of(L);
    if (!generation)
        luaL_error(L, "%s needs a running task to know whose it is", kind->label);

    struct bind_subscription *subscription = lua_newuserdata(L, sizeof *subscription);
    *subscription = (struct bind_subscription){.kind = kind,
                                               .generation = generation,
                                               .waiter = {.run = on_live, .owner = subscription},
                                               .in_standby = in_standby};
    luaL_getmetatable(L, kind->class_name);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, 2);
    subscription->fn_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, -1);
    subscription->self_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    subscription->cleanup.undo = close_subscription;
    subscription->cleanup.owner = subscription;
    generation_defer(generation, &subscription->cleanup);
    return subscription;
}

void bind_subscription_from(struct bind_subscription *subscription, void *source)
{
    subscription->source = source;
}

void bind_subscription_message(void *owner, struct slice message)
{
    struct bind_subscription *subscription = owner;
    lua_State *L = generation_lua(subscription->generation);

    if (generation_is_standby(subscription->generation) && !subscription->in_standby) {
        generation_await_remove(&subscription->waiter);
        generation_await(subscription->generation, &subscription->waiter);
        return;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, subscription->fn_ref);
    if (message.data)
        bind_push_slice(L, message);
    else
        lua_pushnil(L);
    task_spawn(subscription->generation, L, 1,
               &(struct task_spec){.label = subscription->kind->label});
}
