/* bind_redis.c: host.redis: commands on the shared connection, sessions, subscriptions. What can be said in Lua is in
 * bind_redis.lua. */
#include "bind/bind.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "bind/bind_redis_args.h"
#include "bind/bind_subscription.h"
#include "net/loop.h"
#include "net/redis.h"
#include "script/generation.h"
#include "script/task.h"
#include "script/wait.h"
#include "bind_redis.lua.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

enum {
    SHARED_TIMEOUT_MS =
        2000, /* whoever waits longer for the shared connection waits for a broken one */
    SESSION_TIMEOUT_MS = 300000, /* blocking commands are what sessions are for */
    REPLY_STACK = 48,            /* hiredis reads no deeper than 8 levels */
};

static const char service[] = "redis";
static const char session_meta[] = "fura.redis.session";

/* ---- replies ---- */

static void push_element(lua_State *L, const redisReply *reply)
{
    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        lua_pushnumber(L, (lua_Number)reply->integer);
        break;
    case REDIS_REPLY_ARRAY:
        lua_createtable(L, (int)reply->elements, 0);
        for (size_t i = 0; i < reply->elements; i++) {
            push_element(L, reply->element[i]);
            lua_rawseti(L, -2, (int)i + 1);
        }
        break;
    case REDIS_REPLY_NIL:
        bind_push_null(L);
        break;
    case REDIS_REPLY_ERROR: /* one command of an EXEC failed: its place holds the failure */
        bind_failure_text(L, "redis_error", service, reply->str);
        lua_remove(L, -2);
        break;
    default:
        lua_pushlstring(L, reply->str, reply->len);
    }
}

static int push_reply(lua_State *L, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR)
        return bind_failure_text(L, "redis_error", service, reply->str);
    lua_checkstack(L, REPLY_STACK);
    if (reply->type == REDIS_REPLY_NIL)
        lua_pushnil(L);
    else
        push_element(L, reply);
    return 1;
}

static void on_reply(void *owner, enum result rc, const struct redisReply *reply)
{
    struct wait *wait = owner;
    lua_State *L = wait_lua(wait);
    int n = 0;
    if (L)
        n = rc == R_OK ? push_reply(L, reply) : bind_failure(L, rc, service);
    wait_finish(wait, n);
}

/* ---- the shared connection ---- */

static struct host *host_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static int send_shared(lua_State *L, const struct bind_redis_args *args)
{
    struct wait *wait = wait_begin(L, service);
    unsigned timeout_ms = task_timeout_ms(wait_task(wait), SHARED_TIMEOUT_MS);
    enum result rc =
        redis_send(host_of(L)->redis, args->argc, args->argv, timeout_ms, on_reply, wait);
    if (rc == R_OK)
        return wait_yield(L, wait);
    wait_abandon(wait);
    return bind_failure(L, rc, service);
}

static int l_command(lua_State *L)
{
    struct bind_redis_args args;
    bind_redis_args_take(L, &args, 1);
    bind_redis_args_allow(L, &args, false);
    return send_shared(L, &args);
}

/* run(verb, script or hash, keys, args) */
static int l_run(lua_State *L)
{
    struct bind_redis_args args;
    bind_redis_args_take_script(L, &args);
    return send_shared(L, &args);
}

static int l_sha1(lua_State *L)
{
    uint8_t digest[SHA1_BYTES];
    crypto_sha1(bind_check_slice(L, 1), digest);
    encode_hex(slice_of((const char *)digest, sizeof digest), bind_scratch());
    return bind_push_scratch(L);
}

static int l_is_up(lua_State *L)
{
    lua_pushboolean(L, redis_is_up(host_of(L)->redis));
    return 1;
}

/* ---- sessions ---- */

/* A userdata; held by the task as well. */
struct session {
    struct loop *loop;
    struct redis_session *driver; /* NULL once closed */
    struct task_cleanup cleanup;
};

struct late_close {
    struct redis_session *driver;
    struct loop_later later;
};

static void on_late_close(void *owner)
{
    struct late_close *late = owner;
    redis_session_close(late->driver);
    free(late);
}

/* Closing fails what is in flight, which resumes the tasks that wait for it: not from inside another task. */
static void close_session(void *owner)
{
    struct session *session = owner;
    struct redis_session *driver = session->driver;
    if (!driver)
        return;
    session->driver = NULL;
    task_defer_remove(&session->cleanup);
    if (redis_session_is_idle(driver)) {
        redis_session_close(driver);
        return;
    }
    struct late_close *late = mem_new(struct late_close);
    late->driver = driver;
    loop_later(session->loop, &late->later, on_late_close, late);
}

static int l_open(lua_State *L)
{
    struct task *task = task_of(L);
    if (!task)
        return luaL_error(L, "host.redis.dedicated needs a running task");
    struct host *host = host_of(L);
    struct session *session = lua_newuserdata(L, sizeof *session);
    *session = (struct session){.loop = host->loop};
    luaL_getmetatable(L, session_meta);
    lua_setmetatable(L, -2);
    session->driver = redis_session_open(host->redis);
    session->cleanup.undo = close_session;
    session->cleanup.owner = session;
    task_defer(task, &session->cleanup);
    return 1;
}

static int l_close(lua_State *L)
{
    close_session(luaL_checkudata(L, 1, session_meta));
    return 0;
}

static int l_session_command(lua_State *L)
{
    struct session *session = luaL_checkudata(L, 1, session_meta);
    struct bind_redis_args args;
    bind_redis_args_take(L, &args, 2);
    bind_redis_args_allow(L, &args, true);
    if (!session->driver)
        return luaL_error(L, "this connection ended with its host.redis.dedicated call");

    struct wait *wait = wait_begin(L, service);
    unsigned timeout_ms = task_timeout_ms(wait_task(wait), SESSION_TIMEOUT_MS);
    enum result rc =
        redis_session_send(session->driver, args.argc, args.argv, timeout_ms, on_reply, wait);
    if (rc == R_OK)
        return wait_yield(L, wait);
    wait_abandon(wait);
    return bind_failure(L, rc, service);
}

/* ---- subscriptions ---- */

static void stop_subscription(void *subscription)
{
    redis_unsubscribe(subscription);
}

static const struct bind_subscription_kind messages = {
    .class_name = "fura.redis.subscription", .label = "subscription", .stop = stop_subscription};

static int l_subscribe(lua_State *L)
{
    struct slice channel = bind_check_slice(L, 1);
    struct bind_subscription *subscription = bind_subscription_push(L, &messages);
    bind_subscription_from(subscription, redis_subscribe(host_of(L)->redis, channel,
                                                         bind_subscription_message, subscription));
    return 1;
}

/* ---- opening ---- */

static const luaL_Reg functions[] = {
    {"command", l_command},
    {"subscribe", l_subscribe},
    {"is_up", l_is_up},
    {NULL, NULL},
};

/* For bind_redis.lua only. */
static const luaL_Reg inside[] = {
    {"run", l_run}, {"sha1", l_sha1}, {"open", l_open}, {"close", l_close}, {NULL, NULL},
};

static const luaL_Reg session_methods[] = {{"command", l_session_command}, {NULL, NULL}};

void bind_redis_open(lua_State *L, struct host *host)
{
    if (!host->redis) {
        lua_pushnil(L);
        return;
    }
    bind_class(L, session_meta, session_methods, l_close);
    bind_subscription_class(L, &messages);
    bind_module(L, functions, host);
    if (luaL_loadbuffer(L, (const char *)bind_redis_lua, sizeof bind_redis_lua, "=host.redis") != 0)
        lua_error(L);
    lua_pushvalue(L, -2);
    bind_module(L, inside, host);
    lua_call(L, 2, 0);
}
