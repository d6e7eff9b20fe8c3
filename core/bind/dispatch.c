/* dispatch.c: see dispatch.h. An exchange lives from the request's head until both its task and its
 * bytes are done. */
#include "bind/dispatch.h"
#include "bind/bind.h"
#include "bind/access_log.h"
#include "bind/exchange.h"
#include "bind/recording.h"
#include "bind/routes.h"
#include "bind/trace.h"
#include "bind/trial.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "net/loop.h"
#include "net/static_files.h"
#include "script/generation.h"
#include "dispatch.lua.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

enum { FREE_EXCHANGES_MAX = 256 };

struct dispatch {
    struct loop *loop;
    struct metrics *metrics;
    struct generation *live;
    struct trial *trial; /* NULL: all requests are the live one's */
    unsigned request_deadline_ms, max_requests, requests;
    bool access_log;
    struct recording *recording; /* NULL: off */
    struct exchange *free_list;
    unsigned free_count;
};

/* Take an optional function of lua/init.lua. */
static int take_function(struct generation *generation, const char *name)
{
    lua_State *L = generation_lua(generation);
    generation_push_member(generation, name);
    if (lua_isfunction(L, -1))
        return luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
    return LUA_NOREF;
}

static enum result take_functions(struct generation *generation, struct failure *why)
{
    struct routes *routes = routes_of(generation);
    lua_State *L = generation_lua(generation);
    routes->dispatch_ref = take_function(generation, "dispatch");
    if (routes->dispatch_ref == LUA_NOREF)
        return fail(why, R_REJECTED, "lua/init.lua: the table it returns needs `dispatch`");
    routes->failed_ref = take_function(generation, "failed");
    routes->audience_ref = take_function(generation, "audience");
    request_open(L);
    if (luaL_loadbuffer(L, (const char *)dispatch_lua, sizeof dispatch_lua, "=dispatch") != 0)
        abort();
    request_push_stream_functions(L);
    lua_call(L, 2, 1);
    routes->serve_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return R_OK;
}

enum result dispatch_prepare(struct dispatch *dispatch, struct generation *generation,
                             struct failure *why)
{
    enum result rc = routes_build(generation, dispatch ? dispatch->metrics : NULL, why);
    return rc == R_OK ? take_functions(generation, why) : rc;
}

void dispatch_each_route(struct generation *generation,
                         void (*visit)(void *owner, const char *method, const char *pattern),
                         void *owner)
{
    const struct routes *routes = routes_of(generation);
    for (unsigned i = 0; i < routes->count; i++)
        visit(owner, routes->list[i].method, routes->list[i].pattern);
}

/* ---- exchanges ---- */

/* A reader may take long over an answer that is made: its generation does not wait for that. */
static void leave_generation(struct exchange *exchange)
{
    if (exchange->generation)
        generation_release(exchange->generation);
    exchange->generation = NULL;
}

void exchange_join(struct exchange *exchange, struct generation *generation)
{
    generation_hold(generation);
    leave_generation(exchange);
    if (exchange->routes)
        routes_release(exchange->routes);
    exchange->generation = generation;
    exchange->routes = routes_hold(routes_of(generation));
}

static struct exchange *open_exchange(struct dispatch *dispatch, struct http_request *req)
{
    struct exchange *exchange = dispatch->free_list;
    if (exchange) {
        dispatch->free_list = exchange->next;
        dispatch->free_count--;
    } else {
        exchange = mem_alloc(sizeof *exchange);
    }
    memset(exchange, 0, offsetof(struct exchange, waits)); /* the waits are counted */
    exchange->wait_count = 0;
    exchange->dispatch = dispatch;
    exchange->request = req;
    exchange->started_ns = http_started_ns(req);
    exchange_join(exchange, dispatch->live);
    dispatch->requests++;
    http_set_owner_data(req, exchange);
    return exchange;
}

static void close_exchange(struct exchange *exchange)
{
    struct dispatch *dispatch = exchange->dispatch;
    leave_generation(exchange);
    routes_release(exchange->routes);
    dispatch->requests--;
    if (dispatch->free_count >= FREE_EXCHANGES_MAX) {
        free(exchange);
        return;
    }
    exchange->next = dispatch->free_list;
    dispatch->free_list = exchange;
    dispatch->free_count++;
}

static bool is_static(const struct dispatch *dispatch, struct http_request *req)
{
    static const struct slice mount = SLICE("/static/");
    struct slice path = http_path(req), name = slice_from(path, mount.len);
    if (!slice_starts(path, mount))
        return false;
    return (dispatch->trial && trial_serve_file(dispatch->trial, dispatch->live, req, name)) ||
           static_files_serve(routes_of(dispatch->live)->files, req, name);
}

static enum result find_route(struct exchange *exchange)
{
    const struct routes *routes = exchange->routes;
    const struct http_request *req = exchange->request;
    enum result rc =
        router_match(routes->router, http_method(req), http_path(req), &exchange->match);
    exchange->route = rc == R_OK ? &routes->list[exchange->match.index - 1] : NULL;
    return rc;
}

static const struct http_header soon = {{"Retry-After", 11}, {"1", 1}};

/* Its methods and what they allow are decided before the body is read, and before any script runs.
 */
static void on_head(void *owner, struct http_request *req)
{
    struct dispatch *dispatch = owner;
    if (!dispatch->live || dispatch->requests >= dispatch->max_requests) {
        http_reply_problem_with(req, 503, dispatch->live ? "overloaded" : "starting", soon);
        return;
    }
    if (is_static(dispatch, req))
        return;
    struct exchange *exchange = open_exchange(dispatch, req);
    enum result rc = find_route(exchange);
    if (dispatch->trial && trial_place(dispatch->trial, exchange))
        rc = find_route(exchange);

    if (rc == R_OK) {
        if (exchange->route->max_body_bytes)
            http_set_max_body(req, exchange->route->max_body_bytes);
    } else if (rc == R_INVALID) {
        http_reply_problem(req, 400, "bad_request");
    } else {
        exchange->is_known_path = rc == R_DENIED;
    }
}

static void reply_failure(struct exchange *exchange, enum result rc, bool over_budget)
{
    if (exchange->streaming)
        http_stream_abort(exchange->request);
    else if (rc == R_TIMEOUT)
        http_reply_problem(exchange->request, 503, "deadline_exceeded");
    else if (rc == R_CANCELLED)
        http_reply_problem(exchange->request, 503, "cancelled");
    else if (over_budget)
        http_reply_problem(exchange->request, 503, "script_timeout");
    else
        http_reply_problem(exchange->request, 500, "internal_error");
}

struct reply {
    struct exchange *exchange;
};

/* Protected: a malformed response table raises. Arguments: reply, response. */
static int l_reply(lua_State *L)
{
    struct reply *reply = lua_touserdata(L, 1);
    struct answer_storage storage;
    struct http_answer answer;
    request_read_answer(L, 2, &answer, &storage);
    http_reply(reply->exchange->request, &answer);
    return 0;
}

static void reply_result(struct exchange *exchange, const struct task_end *end)
{
    struct reply reply = {exchange};
    lua_State *co = end->co;

    if (exchange->streaming) {
        http_stream_end(exchange->request);
        return;
    }
    lua_settop(co, 1);
    lua_pushcfunction(co, l_reply);
    lua_pushlightuserdata(co, &reply);
    lua_pushvalue(co, 1);
    if (lua_pcall(co, 2, 0, 0) == 0)
        return;
    log_error("handler answered wrongly",
              LOG_STR("route", exchange->route ? exchange->route->pattern : ""),
              LOG_SLICE("id", http_id(exchange->request)), LOG_STR("error", lua_tostring(co, -1)));
    reply_failure(exchange, R_REJECTED, false);
}

static void set_text(lua_State *L, const char *name, struct slice value)
{
    bind_push_slice(L, value);
    lua_setfield(L, -2, name);
}

/* A script raised or was stopped: the application's failed(about), when it has one, runs in a task of its own. */
static void tell_of_failure(const struct exchange *exchange, const struct task_end *end)
{
    const struct routes *routes = exchange->routes;
    lua_State *L = generation_lua(exchange->generation);
    struct trial *trial = exchange->dispatch->trial;

    if (end->rc != R_REJECTED)
        return;
    if (trial)
        trial_complain(trial, exchange->generation, slice_cstr(end->message), false);
    if (routes->failed_ref == LUA_NOREF)
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, routes->failed_ref);
    lua_createtable(L, 0, 6);
    set_text(L, "request_id", http_id(exchange->request));
    set_text(L, "method", http_method(exchange->request));
    set_text(L, "route", slice_cstr(exchange->route ? exchange->route->pattern : ""));
    set_text(L, "text", slice_cstr(end->message));
    set_text(L, "stack", slice_cstr(end->error));
    lua_pushboolean(L, end->over_budget);
    lua_setfield(L, -2, "stopped");
    task_spawn(exchange->generation, L, 1, &(struct task_spec){.label = "failed request"});
}

static void on_task_end(void *owner, struct task *task, const struct task_end *end)
{
    struct exchange *exchange = owner;

    trial_end(exchange);
    exchange->wait_count = task_wait_times(task, exchange->waits, EXCHANGE_WAITS_MAX);
    exchange->task = NULL;
    task_report(task, end);
    tell_of_failure(exchange, end);
    if (end->rc == R_OK)
        reply_result(exchange, end);
    else
        reply_failure(exchange, end->rc, end->over_budget);
    *exchange->box = NULL;
    struct http_request *req = exchange->request;
    exchange->request = NULL;
    leave_generation(exchange);
    if (exchange->done)
        close_exchange(exchange);
    http_release(req);
}

static int64_t deadline_of(const struct exchange *exchange)
{
    const struct dispatch *dispatch = exchange->dispatch;
    unsigned own_ms = exchange->route ? exchange->route->deadline_ms : 0;
    return clock_monotonic_ms() + (own_ms ? own_ms : dispatch->request_deadline_ms);
}

/* The caller's trace, when it is one; else none, which is not the one of another request. */
static struct slice trace_of(const struct http_request *req)
{
    struct slice given = http_find_header(req, SLICE("traceparent"));
    return trace_is_valid(given) ? given : SLICE("");
}

static void on_request(void *owner, struct http_request *req)
{
    (void)owner;
    struct exchange *exchange = http_owner_data(req);
    const struct routes *routes = exchange->routes;
    lua_State *L = generation_lua(exchange->generation);
    struct task_spec spec = {.label = exchange->route ? exchange->route->pattern : "unmatched",
                             .deadline_ms = deadline_of(exchange),
                             .log_id = http_id(req),
                             .trace = trace_of(req),
                             .on_end = on_task_end,
                             .owner = exchange};

    lua_rawgeti(L, LUA_REGISTRYINDEX, routes->serve_ref);
    lua_rawgeti(L, LUA_REGISTRYINDEX, routes->dispatch_ref);
    request_push(L, exchange);
    lua_pushinteger(L, exchange->route ? exchange->match.index : 0);
    exchange->started = true;
    trial_begin(exchange);
    struct task *task = task_spawn(exchange->generation, L, 3, &spec);
    if (task) /* else it has ended, and the exchange may be gone with it */
        exchange->task = task;
}

/* A reader who left needs no answer; a change that was asked for is still carried out
 * (docs/adr/0007). */
static void on_gone(void *owner, struct http_request *req)
{
    (void)owner;
    struct exchange *exchange = http_owner_data(req);
    bool is_read = slice_eq(http_method(req), SLICE("GET")) || http_is_head(req);
    if (exchange->task && (is_read || exchange->streaming))
        task_cancel(exchange->task, R_CANCELLED);
}

/* What was refused for who asked, or how often, says nothing about what an answer looks like. */
static void record(const struct dispatch *dispatch, const struct exchange *exchange,
                   const struct http_request *req, int status)
{
    bool is_recorded = dispatch->recording && exchange->route && exchange->route->is_recorded;
    if (is_recorded && status && status != 401 && status != 429 && !exchange->streaming)
        recording_take(dispatch->recording, exchange, req, status);
}

static void on_done(void *owner, struct http_request *req, int status, uint64_t bytes_out)
{
    struct dispatch *dispatch = owner;
    struct exchange *exchange = http_owner_data(req);

    if (dispatch->access_log)
        access_log_write(exchange, req, status, bytes_out);
    if (!exchange) {
        access_log_count_scriptless(req, dispatch->metrics, status);
        return;
    }
    access_log_count(exchange, dispatch->metrics, status);
    record(dispatch, exchange, req, status);
    trial_count(exchange, status);
    exchange->done = true;
    if (!exchange->started || !exchange->request)
        close_exchange(exchange);
}

/* ---- life ---- */

struct dispatch *dispatch_new(struct loop *loop, const struct conf *conf, struct metrics *metrics)
{
    struct dispatch *dispatch = mem_new(struct dispatch);
    dispatch->loop = loop;
    dispatch->metrics = metrics;
    dispatch->request_deadline_ms = (unsigned)conf_integer(conf, "http.request_deadline_ms");
    dispatch->max_requests = (unsigned)conf_integer(conf, "http.max_requests");
    dispatch->access_log = conf_bool(conf, "http.access_log");
    unsigned keep = (unsigned)conf_integer(conf, "replay.keep");
    dispatch->recording = keep > 0 ? recording_new(keep) : NULL;
    metrics_describe(metrics, SLICE("fura_http_requests_total"), "Requests by route and status.");
    metrics_describe(metrics, SLICE("fura_http_request_seconds"),
                     "Time from a request's first byte to its answer's last.");
    return dispatch;
}

void dispatch_free(struct dispatch *dispatch)
{
    while (dispatch->free_list) {
        struct exchange *exchange = dispatch->free_list;
        dispatch->free_list = exchange->next;
        free(exchange);
    }
    recording_free(dispatch->recording);
    trial_free(dispatch->trial);
    free(dispatch);
}

const struct recording *dispatch_recording(const struct dispatch *dispatch)
{
    return dispatch->recording;
}

void dispatch_set_live(struct dispatch *dispatch, struct generation *generation)
{
    dispatch->live = generation;
    dispatch_set_trial(dispatch, NULL);
}

void dispatch_set_trial(struct dispatch *dispatch, struct trial *trial)
{
    trial_free(dispatch->trial);
    dispatch->trial = trial;
}

void dispatch_complain(struct dispatch *dispatch, const struct generation *generation,
                       struct slice text)
{
    if (dispatch->trial)
        trial_complain(dispatch->trial, generation, text, true);
}

struct http_callbacks dispatch_callbacks(struct dispatch *dispatch)
{
    return (struct http_callbacks){.on_head = on_head,
                                   .on_request = on_request,
                                   .on_gone = on_gone,
                                   .on_done = on_done,
                                   .owner = dispatch};
}
