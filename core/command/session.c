/* session.c: see session.h. */
#include "command/session.h"
#include "command/interrupt.h"
#include "host.h"
#include "logs.h"
#include "base/bundle.h"
#include "base/clock.h"
#include "base/mem.h"
#include "bind/dispatch.h"
#include "net/loop.h"
#include "script/generation.h"
#include "script/task.h"
#include "script/vm.h"

#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUILD_LIMIT_MS = 60000, SIGNALLED = 128 };

struct session {
    struct conf *conf;
    struct loop *loop;
    struct host *host;
    struct generation *generation;
    struct dispatch *dispatch;
    struct buf *problems; /* while opening */
    int status;
    struct task *task; /* of session_call(), while it waits */
    bool called;       /* it has ended */
};

static void open_host(lua_State *L, void *host)
{
    bind_open_host(L, host);
}

static void on_built(void *owner, struct generation *generation, enum result rc,
                     struct slice problems)
{
    struct session *session = owner;
    if (rc == R_OK)
        session->generation = generation;
    else
        buf_append_slice(session->problems, problems);
    loop_stop(session->loop);
}

/* A worker refuses a generation for its routes too; tools do not need them. */
static bool are_routes_sound(struct session *session)
{
    struct failure why = {.rc = R_OK};

    session->dispatch = dispatch_new(session->loop, session->conf, session->host->metrics);
    if (dispatch_prepare(session->dispatch, session->generation, &why) == R_OK)
        return true;
    buf_printf(session->problems, "%s\n", why.text);
    return false;
}

static bool build(struct session *session, const struct conf_source *source, bool tooling)
{
    struct bundle *bundle = NULL;

    if (bundle_read(source, session->conf, &bundle, session->problems) != R_OK)
        return false;
    generation_build(&(struct generation_recipe){.number = 1,
                                                 .bundle = bundle,
                                                 .loop = session->loop,
                                                 .open_host = open_host,
                                                 .open_host_owner = session->host,
                                                 .tooling = tooling,
                                                 .build_timeout_ms = BUILD_LIMIT_MS},
                     on_built, session);
    loop_run(session->loop);
    return session->generation && (tooling || are_routes_sound(session));
}

static bool open_all(struct session *session, const struct conf_source *source, const char *role,
                     bool tooling)
{
    struct failure why = {.rc = R_OK};

    logs_open(session->conf, role);
    session->loop = loop_new();
    if (host_open(
            &(struct host_options){.loop = session->loop, .conf = session->conf, .role = role},
            &session->host, &why) != R_OK) {
        buf_printf(session->problems, "%s\n", why.text);
        return false;
    }
    return build(session, source, tooling);
}

struct session *session_try(const struct invocation *invocation, struct conf *conf,
                            const char *role, bool tooling, struct buf *problems)
{
    struct session *session = mem_new(struct session);

    signal(SIGPIPE, SIG_IGN);
    session->conf = conf;
    session->problems = problems;
    if (open_all(session, &invocation->source, role, tooling))
        return session;
    session_close(session);
    return NULL;
}

struct session *session_open(const struct invocation *invocation, const char *role, bool tooling)
{
    struct buf problems = {0};
    struct session *session = NULL;
    struct conf *conf;

    if (conf_load(&invocation->source, &conf, &problems) == R_OK)
        session = session_try(invocation, conf, role, tooling, &problems);
    if (!session)
        fprintf(stderr, "%.*s%s", (int)problems.len, problems.data ? problems.data : "",
                problems.len && problems.data[problems.len - 1] != '\n' ? "\n" : "");
    buf_free(&problems);
    return session;
}

static void on_closed(void *owner)
{
    struct session *session = owner;
    session->generation = NULL;
    loop_stop(session->loop);
}

void session_close(struct session *session)
{
    interrupt_close();
    if (session->generation) {
        generation_retire(session->generation, clock_monotonic_ms(), on_closed, session);
        loop_run(session->loop);
    }
    if (session->dispatch)
        dispatch_free(session->dispatch);
    host_close(session->host);
    if (session->loop)
        loop_free(session->loop);
    if (session->conf)
        conf_free(session->conf);
    free(session);
}

struct generation *session_generation(const struct session *session)
{
    return session->generation;
}

lua_State *session_lua(const struct session *session)
{
    return generation_lua(session->generation);
}

struct host *session_host(const struct session *session)
{
    return session->host;
}

const struct conf *session_conf(const struct session *session)
{
    return session->conf;
}

bool session_load(struct session *session, struct slice source, const char *chunk_name)
{
    lua_State *L = session_lua(session);
    if (luaL_loadbuffer(L, source.data, source.len, chunk_name) == 0)
        return true;
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_pop(L, 1);
    return false;
}

bool session_load_bundled(struct session *session, const char *path)
{
    struct buf name = {0};
    struct slice source;
    bool loaded = false;

    if (bundle_find(generation_bundle(session->generation), slice_cstr(path), &source)) {
        buf_printf(&name, "@%s", path);
        loaded = session_load(session, source, buf_cstr(&name));
    } else {
        fprintf(stderr, "fura: the application has no %s\n", path);
    }
    buf_free(&name);
    return loaded;
}

/* nil and a failure: a table with text, or any value. */
static void print_failure(lua_State *co, int index)
{
    if (lua_istable(co, index))
        lua_getfield(co, index, "text");
    else
        lua_pushvalue(co, index);
    const char *text = lua_tostring(co, -1);
    fprintf(stderr, "fura: %s\n", text ? text : luaL_typename(co, index));
    lua_pop(co, 1);
}

/* Interrupted while it waited: where, as its stack lies there still. */
static const char *words_of(const struct task_end *end)
{
    if (end->rc == R_REJECTED)
        return end->error;
    if (!interrupt_signal())
        return result_code(end->rc);
    lua_pushliteral(end->co, "interrupted");
    vm_describe_error(end->co);
    return lua_tostring(end->co, -1);
}

void session_print_end(const struct task_end *end)
{
    fflush(stdout);
    if (end->rc != R_OK)
        fprintf(stderr, "%s\n", words_of(end));
}

static int status_of(const struct task_end *end)
{
    lua_State *co = end->co;
    int first = end->rc == R_OK ? lua_gettop(co) - end->results + 1 : 0;

    session_print_end(end);
    if (interrupt_signal())
        return SIGNALLED + interrupt_signal();
    if (end->rc != R_OK)
        return EXIT_REFUSED;
    if (end->results >= 1 && lua_type(co, first) == LUA_TNUMBER)
        return (int)lua_tointeger(co, first);
    if (end->results >= 2 && lua_isnil(co, first) && !lua_isnil(co, first + 1)) {
        print_failure(co, first + 1);
        return EXIT_REFUSED;
    }
    return EXIT_OK;
}

static void on_interrupted(void *owner)
{
    struct session *session = owner;
    if (session->task)
        task_cancel(session->task, R_CANCELLED);
}

void session_heed_signals(struct session *session, void (*handle)(void *owner), void *owner)
{
    interrupt_open(session->loop, handle ? handle : on_interrupted, handle ? owner : session);
}

static void on_ended(void *owner, struct task *task, const struct task_end *end)
{
    struct session *session = owner;
    (void)task;
    session->status = status_of(end);
    session->called = true;
    session->task = NULL;
    loop_stop(session->loop);
}

int session_call(struct session *session, int nargs, const char *label)
{
    struct task_spec spec = {.label = label, .on_end = on_ended, .owner = session};

    session->called = false;
    session->task = task_spawn(session->generation, session_lua(session), nargs, &spec);
    if (!session->called)
        loop_run(session->loop);
    fflush(stdout);
    return session->status;
}
