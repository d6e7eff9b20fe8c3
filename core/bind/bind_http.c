/* bind_http.c: host.http.request. */
#include "bind/bind.h"
#include "bind/bind_http.h"
#include "bind/trace.h"
#include "base/mem.h"
#include "net/fetch.h"
#include "script/generation.h"
#include "script/task.h"
#include "script/wait.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 10000, MAX_BODY_BYTES = 4 << 20, MAX_REDIRECTS = 20, HEADERS_MAX = 100 };

/* One call and the task parked for it. */
struct job {
    struct wait *wait;
    struct fetch_call *call;
    /* on_piece: the function, in the registry of the generation's VM */
    lua_State *main;
    int piece_ref;
    bool piece_stops, piece_failed;
    char piece_error[256];
    struct task_cleanup cleanup;
};

/* ---- on_piece: each run is a small task of its own, so that budgets and reports apply ---- */

static void on_piece_end(void *owner, struct task *task, const struct task_end *end)
{
    (void)task;
    struct job *job = owner;

    if (end->rc == R_OK) {
        bool refused = end->results > 0 && lua_isboolean(end->co, -end->results) &&
                       !lua_toboolean(end->co, -end->results);
        job->piece_stops = refused;
        return;
    }
    job->piece_stops = job->piece_failed = true;
    snprintf(job->piece_error, sizeof job->piece_error, "on_piece: %s",
             end->rc == R_REJECTED ? end->message : "it must not wait");
}

static bool on_piece(void *owner, struct slice piece)
{
    struct job *job = owner;
    struct task *task = wait_task(job->wait);
    struct task_spec spec = {
        .label = "http.on_piece", .in_one_go = true, .on_end = on_piece_end, .owner = job};

    if (!task)
        return false;
    lua_rawgeti(job->main, LUA_REGISTRYINDEX, job->piece_ref);
    bind_push_slice(job->main, piece);
    struct task *parked = task_spawn(task_generation(task), job->main, 1, &spec);
    if (parked)
        task_cancel(parked, R_CANCELLED);
    return !job->piece_stops;
}

static void on_task_gone(void *owner)
{
    struct job *job = owner;
    luaL_unref(job->main, LUA_REGISTRYINDEX, job->piece_ref);
    job->main = NULL;
}

static void keep_piece_function(lua_State *L, struct job *job, struct task *task)
{
    lua_getfield(L, 1, "on_piece");
    job->main = generation_lua(task_generation(task));
    job->piece_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    job->cleanup = (struct task_cleanup){.undo = on_task_gone, .owner = job};
    task_defer(task, &job->cleanup);
}

static void free_job(struct job *job)
{
    if (job->main) {
        task_defer_remove(&job->cleanup);
        on_task_gone(job);
    }
    free(job);
}

/* ---- the answer ---- */

/* Repeated names are joined by ", ", as HTTP allows. */
static void push_headers(lua_State *L, const struct fetch_answer *answer)
{
    lua_createtable(L, 0, (int)answer->header_count);
    for (unsigned i = 0; i < answer->header_count; i++) {
        bind_push_slice(L, answer->headers[i].name);
        lua_pushvalue(L, -1);
        lua_rawget(L, -3);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            bind_push_slice(L, answer->headers[i].value);
        } else {
            lua_pushliteral(L, ", ");
            bind_push_slice(L, answer->headers[i].value);
            lua_concat(L, 3);
        }
        lua_rawset(L, -3);
    }
}

static int push_answer(lua_State *L, const struct fetch_answer *answer)
{
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, answer->status);
    lua_setfield(L, -2, "status");
    push_headers(L, answer);
    lua_setfield(L, -2, "headers");
    bind_push_slice(L, answer->body);
    lua_setfield(L, -2, "body");
    lua_pushnumber(L, (double)answer->took_us / 1000);
    lua_setfield(L, -2, "took_ms");
    return 1;
}

static int push_outcome(lua_State *L, const struct job *job, const struct fetch_answer *answer,
                        const struct failure *why)
{
    if (job->piece_failed)
        return bind_failure_text(L, "script_error", "http", job->piece_error);
    return answer ? push_answer(L, answer) : bind_failure_of(L, why, "http");
}

static void on_done(void *owner, enum result rc, const struct fetch_answer *answer,
                    const struct failure *why)
{
    (void)rc;
    struct job *job = owner;
    struct wait *wait = job->wait;
    lua_State *L = wait_lua(wait);
    int n = L ? push_outcome(L, job, answer, why) : 0;
    free_job(job);
    wait_finish(wait, n);
}

static void on_cancel(void *owner)
{
    struct job *job = owner;
    fetch_cancel(job->call);
}

/* ---- the request ---- */

static unsigned check_headers(lua_State *L, struct http_header headers[HEADERS_MAX])
{
    unsigned count = 0;

    if (!bind_push_option(L, 1, "headers"))
        return 0;
    if (!lua_istable(L, -1))
        luaL_error(L, "option 'headers' must be a table, not a %s", luaL_typename(L, -1));
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "headers must be strings by name");
        if (count == HEADERS_MAX)
            luaL_error(L, "more than %d headers", HEADERS_MAX);
        struct http_header *header = &headers[count++];
        header->name.data = lua_tolstring(L, -2, &header->name.len);
        header->value.data = lua_tolstring(L, -1, &header->value.len);
    }
    lua_pop(L, 1); /* the strings live on in the request table */
    return count;
}

static unsigned opt_unsigned(lua_State *L, const char *field, unsigned fallback, unsigned max)
{
    double value = bind_opt_number(L, 1, field, fallback);
    if (value > max)
        luaL_error(L, "option '%s' is at most %d", field, (int)max);
    return (unsigned)value;
}

static bool has_piece_function(lua_State *L)
{
    lua_getfield(L, 1, "on_piece");
    bool has = !lua_isnil(L, -1);
    if (has && !lua_isfunction(L, -1))
        luaL_error(L, "option 'on_piece' must be a function, not a %s", luaL_typename(L, -1));
    lua_pop(L, 1);
    return has;
}

static void check_request(lua_State *L, struct http_header headers[HEADERS_MAX],
                          struct fetch_request *out)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    *out = (struct fetch_request){
        .method = bind_opt_slice(L, 1, "method"),
        .url = bind_opt_slice(L, 1, "url"),
        .headers = headers,
        .header_count = check_headers(L, headers),
        .body = bind_opt_slice(L, 1, "body"),
        .timeout_ms = opt_unsigned(L, "timeout_ms", TIMEOUT_MS, INT_MAX),
        .connect_timeout_ms = opt_unsigned(L, "connect_timeout_ms", 0, INT_MAX),
        .max_body_bytes = opt_unsigned(L, "max_body_bytes", MAX_BODY_BYTES, INT_MAX),
        .max_redirects = opt_unsigned(L, "max_redirects", 0, MAX_REDIRECTS),
        .on_piece = has_piece_function(L) ? on_piece : NULL};
    luaL_argcheck(L, out->url.data, 1, "a request needs its url");
    if (!out->method.data)
        out->method = SLICE("GET");
}

static bool has_header(const struct fetch_request *request, struct slice name)
{
    for (unsigned i = 0; i < request->header_count; i++)
        if (slice_ieq(request->headers[i].name, name))
            return true;
    return false;
}

static void add_header(struct fetch_request *request, struct http_header *headers,
                       struct slice name, const char *value)
{
    if (*value && !has_header(request, name) && request->header_count < HEADERS_MAX)
        headers[request->header_count++] =
            (struct http_header){.name = name, .value = slice_of(value, strlen(value))};
}

/* host.http.request(request) -> answer | nil, failure      (yields) */
static int l_request(lua_State *L)
{
    struct fetch *fetch = lua_touserdata(L, lua_upvalueindex(1));
    struct http_header headers[HEADERS_MAX];
    struct fetch_request request;
    struct failure why = {0};

    check_request(L, headers, &request);
    struct wait *wait = wait_begin(L, "http");
    struct task *task = wait_task(wait);
    struct job *job = mem_new(struct job);
    job->wait = wait;
    request.timeout_ms = task_timeout_ms(task, request.timeout_ms);
    char trace[TRACE_CHARS + 1] = "";
    if (*task_trace(task))
        trace_continue(task_trace(task), trace);
    add_header(&request, headers, SLICE("X-Request-Id"), task_log_id(task));
    add_header(&request, headers, SLICE("traceparent"), trace);
    if (request.on_piece)
        keep_piece_function(L, job, task);

    enum result rc = fetch_start(fetch, &request, on_done, job, &job->call, &why);
    if (rc != R_OK) {
        free_job(job);
        wait_abandon(wait);
        return bind_failure_of(L, &why, "http");
    }
    wait_on_cancel(wait, on_cancel, job);
    return wait_yield(L, wait);
}

static const luaL_Reg functions[] = {{"request", l_request}, {NULL, NULL}};
static const luaL_Reg nothing[] = {{NULL, NULL}};

void bind_http_open(lua_State *L, struct host *host)
{
    bind_module(L, host->fetch ? functions : nothing, host->fetch);
    bind_http_add_text_functions(L);
}
