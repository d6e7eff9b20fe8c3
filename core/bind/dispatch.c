/* dispatch.c: see dispatch.h. An exchange lives from the request's head until both its task and its
 * bytes are done. */
#include "bind/dispatch.h"
#include "bind/bind.h"
#include "bind/exchange.h"
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

enum { STATUS_SLOTS = 6, FREE_EXCHANGES_MAX = 256 };

/* A counter per status seen on a route, found once. */
struct status_counter {
    int status;
    struct metric *metric;
};

struct route {
    char *method, *pattern;
    size_t max_body_bytes; /* 0 = the server's limit */
    unsigned deadline_ms;  /* 0 = the server's */
    struct metric *seconds;
    struct status_counter statuses[STATUS_SLOTS];
};

/* What dispatch keeps with a generation. */
struct routes {
    struct router *router;
    struct static_files *files;
    struct route *list;
    unsigned count;
    struct route unmatched; /* metrics of 404 and 405 */
    int dispatch_ref, serve_ref, failed_ref;
};

struct dispatch {
    struct loop *loop;
    struct metrics *metrics;
    struct generation *live;
    unsigned request_deadline_ms, max_requests, requests;
    bool access_log;
    struct exchange *free_list;
    unsigned free_count;
};

const char *route_pattern(const struct route *route)
{
    return route->pattern;
}

/* ---- the route table of a generation ---- */

static void free_route(struct route *route)
{
    free(route->method);
    free(route->pattern);
}

static void free_routes(void *data)
{
    struct routes *routes = data;
    for (unsigned i = 0; i < routes->count; i++)
        free_route(&routes->list[i]);
    free_route(&routes->unmatched);
    free(routes->list);
    router_free(routes->router);
    static_files_free(routes->files);
    free(routes);
}

static struct metric *find_seconds(struct dispatch *dispatch, const char *pattern)
{
    char labels[256];
    int len = snprintf(labels, sizeof labels, "route=\"%s\"", pattern);
    return metrics_find(dispatch->metrics, METRIC_HISTOGRAM, SLICE("fura_http_request_seconds"),
                        slice_of(labels, (size_t)len));
}

/* The route's table is at the top of the stack. */
static enum result read_route(struct dispatch *dispatch, lua_State *L, struct route *route,
                              struct failure *why)
{
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    const char *method = lua_tostring(L, -2), *pattern = lua_tostring(L, -1);
    if (!method || !pattern) {
        lua_pop(L, 2);
        return fail(why, R_REJECTED, "lua/routes.lua: a route must start with a method and a path");
    }
    route->method = mem_strdup(method);
    route->pattern = mem_strdup(pattern);
    lua_pop(L, 2);

    lua_getfield(L, -1, "max_body_bytes");
    route->max_body_bytes = (size_t)lua_tonumber(L, -1);
    lua_getfield(L, -2, "deadline_ms");
    route->deadline_ms = (unsigned)lua_tonumber(L, -1);
    lua_pop(L, 2);
    route->seconds = find_seconds(dispatch, route->pattern);
    return R_OK;
}

static enum result add_route(struct dispatch *dispatch, lua_State *L, struct routes *routes,
                             struct failure *why)
{
    struct route *route = &routes->list[routes->count++];
    struct failure reason = {0};

    if (!lua_istable(L, -1))
        return fail(why, R_REJECTED, "lua/routes.lua: route %u is not a table", routes->count);
    enum result rc = read_route(dispatch, L, route, why);
    if (rc != R_OK)
        return rc;
    rc = router_add(routes->router, route->method, route->pattern, (int)routes->count, &reason);
    if (rc != R_OK)
        return fail(why, R_REJECTED, "lua/routes.lua: %s %s: %s", route->method, route->pattern,
                    reason.text);
    return R_OK;
}

/* The list of routes is at the top of the stack. */
static enum result add_routes(struct dispatch *dispatch, lua_State *L, struct routes *routes,
                              struct failure *why)
{
    enum result rc = R_OK;
    if (!lua_istable(L, -1))
        return fail(why, R_REJECTED, "lua/init.lua: the table it returns needs `routes`");
    unsigned count = (unsigned)lua_objlen(L, -1);
    routes->list = mem_zalloc((count + 1) * sizeof *routes->list);
    for (unsigned i = 1; i <= count && rc == R_OK; i++) {
        lua_rawgeti(L, -1, (int)i);
        rc = add_route(dispatch, L, routes, why);
        lua_pop(L, 1);
    }
    return rc;
}

/* Files of the bundle that are served as they are, under /static/. */
static struct static_files *collect_files(const struct bundle *bundle)
{
    static const struct slice folders[] = {SLICE("lua/web/static/"), SLICE("build/static/")};
    struct static_files *files = static_files_new();
    for (unsigned i = 0; i < bundle_count(bundle); i++) {
        struct slice content, path = bundle_path_at(bundle, i, &content);
        for (unsigned f = 0; f < sizeof folders / sizeof *folders; f++)
            if (slice_starts(path, folders[f]))
                static_files_add(files, slice_from(path, folders[f].len), content);
    }
    return files;
}

static enum result take_functions(struct generation *generation, struct routes *routes,
                                  struct failure *why)
{
    lua_State *L = generation_lua(generation);
    generation_push_member(generation, "dispatch");
    if (!lua_isfunction(L, -1)) {
        lua_pop(L, 1);
        return fail(why, R_REJECTED, "lua/init.lua: the table it returns needs `dispatch`");
    }
    routes->dispatch_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    generation_push_member(generation, "failed");
    bool wants_failures = lua_isfunction(L, -1);
    routes->failed_ref = wants_failures ? luaL_ref(L, LUA_REGISTRYINDEX) : LUA_NOREF;
    if (!wants_failures)
        lua_pop(L, 1);
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
    struct routes *routes = mem_new(struct routes);
    lua_State *L = generation_lua(generation);

    routes->router = router_new();
    routes->files = collect_files(generation_bundle(generation));
    routes->unmatched.method = mem_strdup("");
    routes->unmatched.pattern = mem_strdup("");
    routes->unmatched.seconds = find_seconds(dispatch, "");
    generation_attach(generation, routes, free_routes);
    generation_push_member(generation, "routes");
    enum result rc = add_routes(dispatch, L, routes, why);
    lua_pop(L, 1);
    return rc == R_OK ? take_functions(generation, routes, why) : rc;
}

void dispatch_each_route(struct generation *generation,
                         void (*visit)(void *owner, const char *method, const char *pattern),
                         void *owner)
{
    const struct routes *routes = generation_attached(generation);
    for (unsigned i = 0; i < routes->count; i++)
        visit(owner, routes->list[i].method, routes->list[i].pattern);
}

/* ---- exchanges ---- */

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
    exchange->generation = dispatch->live;
    generation_hold(exchange->generation);
    dispatch->requests++;
    http_set_owner_data(req, exchange);
    return exchange;
}

static void close_exchange(struct exchange *exchange)
{
    struct dispatch *dispatch = exchange->dispatch;
    generation_release(exchange->generation);
    dispatch->requests--;
    if (dispatch->free_count >= FREE_EXCHANGES_MAX) {
        free(exchange);
        return;
    }
    exchange->next = dispatch->free_list;
    dispatch->free_list = exchange;
    dispatch->free_count++;
}

static bool is_static(const struct routes *routes, struct http_request *req)
{
    static const struct slice mount = SLICE("/static/");
    struct slice path = http_path(req);
    return slice_starts(path, mount) &&
           static_files_serve(routes->files, req, slice_from(path, mount.len));
}

/* Its methods and what they allow are decided before the body is read, and before any script runs.
 */
static void on_head(void *owner, struct http_request *req)
{
    struct dispatch *dispatch = owner;
    if (!dispatch->live || dispatch->requests >= dispatch->max_requests) {
        http_reply_problem(req, 503, dispatch->live ? "overloaded" : "starting");
        return;
    }
    struct routes *routes = generation_attached(dispatch->live);
    if (is_static(routes, req))
        return;
    struct exchange *exchange = open_exchange(dispatch, req);
    enum result rc =
        router_match(routes->router, http_method(req), http_path(req), &exchange->match);

    if (rc == R_OK) {
        exchange->route = &routes->list[exchange->match.index - 1];
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
    const struct routes *routes = generation_attached(exchange->generation);
    lua_State *L = generation_lua(exchange->generation);

    if (routes->failed_ref == LUA_NOREF || end->rc != R_REJECTED)
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

static void on_request(void *owner, struct http_request *req)
{
    (void)owner;
    struct exchange *exchange = http_owner_data(req);
    struct routes *routes = generation_attached(exchange->generation);
    lua_State *L = generation_lua(exchange->generation);
    struct task_spec spec = {.label = exchange->route ? exchange->route->pattern : "unmatched",
                             .deadline_ms = deadline_of(exchange),
                             .log_id = http_id(req),
                             .on_end = on_task_end,
                             .owner = exchange};

    lua_rawgeti(L, LUA_REGISTRYINDEX, routes->serve_ref);
    lua_rawgeti(L, LUA_REGISTRYINDEX, routes->dispatch_ref);
    request_push(L, exchange);
    lua_pushinteger(L, exchange->route ? exchange->match.index : 0);
    exchange->started = true;
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

/* ---- the access log ---- */

static struct metric *find_counter(struct dispatch *dispatch, struct route *route, int status)
{
    char labels[256];
    struct status_counter *slot = route->statuses;
    while (slot < route->statuses + STATUS_SLOTS && slot->status && slot->status != status)
        slot++;
    if (slot < route->statuses + STATUS_SLOTS && slot->status)
        return slot->metric;
    int len = snprintf(labels, sizeof labels, "method=\"%s\",route=\"%s\",status=\"%d\"",
                       route->method, route->pattern, status);
    struct metric *metric =
        metrics_find(dispatch->metrics, METRIC_COUNTER, SLICE("fura_http_requests_total"),
                     slice_of(labels, (size_t)len));
    if (slot < route->statuses + STATUS_SLOTS)
        *slot = (struct status_counter){status, metric};
    return metric;
}

static struct slice describe_waits(const struct exchange *exchange, char *text, size_t size)
{
    int len = snprintf(text, size, "{");
    for (unsigned i = 0; i < exchange->wait_count; i++)
        len += snprintf(text + len, size - (size_t)len, "%s\"%s\":%.1f", i ? "," : "",
                        exchange->waits[i].what, (double)exchange->waits[i].total_us / 1000);
    len += snprintf(text + len, size - (size_t)len, "}");
    return slice_of(text, (size_t)len);
}

static void log_access(const struct exchange *exchange, struct http_request *req, int status,
                       uint64_t bytes_out)
{
    char waits[320];
    double ms = (double)(clock_monotonic_ns() - http_started_ns(req)) / 1e6;
    log_info("request", LOG_SLICE("id", http_id(req)), LOG_SLICE("method", http_method(req)),
             LOG_STR("route", exchange && exchange->route ? exchange->route->pattern : ""),
             LOG_SLICE("path", http_path(req)), LOG_INT("status", status), LOG_NUM("ms", ms),
             LOG_INT("bytes", bytes_out), LOG_SLICE("address", http_address(req)),
             LOG_STR("driver", exchange ? exchange->driver_id : ""),
             LOG_RAW("waits_ms",
                     exchange ? describe_waits(exchange, waits, sizeof waits) : SLICE("{}")));
}

static void on_done(void *owner, struct http_request *req, int status, uint64_t bytes_out)
{
    struct dispatch *dispatch = owner;
    struct exchange *exchange = http_owner_data(req);

    if (dispatch->access_log)
        log_access(exchange, req, status, bytes_out);
    if (!exchange)
        return;
    struct routes *routes = generation_attached(exchange->generation);
    struct route *route = exchange->route ? exchange->route : &routes->unmatched;
    metric_add(find_counter(dispatch, route, status), 1);
    metric_observe(route->seconds, (double)(clock_monotonic_ns() - http_started_ns(req)) / 1e9);
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
    free(dispatch);
}

void dispatch_set_live(struct dispatch *dispatch, struct generation *generation)
{
    dispatch->live = generation;
}

struct http_callbacks dispatch_callbacks(struct dispatch *dispatch)
{
    return (struct http_callbacks){.on_head = on_head,
                                   .on_request = on_request,
                                   .on_gone = on_gone,
                                   .on_done = on_done,
                                   .owner = dispatch};
}
