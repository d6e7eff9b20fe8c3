/* routes.c: see routes.h. */
#include "bind/routes.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "net/static_files.h"
#include "script/generation.h"

#include <lauxlib.h>
#include <stdlib.h>

static void free_route(struct route *route)
{
    free(route->method);
    free(route->pattern);
    for (char **name = route->hides; name && *name; name++)
        free(*name);
    free(route->hides);
}

struct routes *routes_hold(struct routes *routes)
{
    routes->holders++;
    return routes;
}

void routes_release(struct routes *routes)
{
    if (--routes->holders > 0)
        return;
    for (unsigned i = 0; i < routes->count; i++)
        free_route(&routes->list[i]);
    free_route(&routes->unmatched);
    free(routes->list);
    router_free(routes->router);
    static_files_free(routes->files);
    free(routes);
}

static void release_routes(void *routes)
{
    routes_release(routes);
}

static struct metric *find_seconds(struct metrics *metrics, const char *pattern)
{
    struct buf labels = {0};
    if (!metrics)
        return NULL;
    buf_printf(&labels, "route=\"%s\"", pattern);
    struct metric *metric = metrics_find(metrics, METRIC_HISTOGRAM,
                                         SLICE("fura_http_request_seconds"), buf_slice(&labels));
    buf_free(&labels);
    return metric;
}

/* Of the route at the top of the stack; 0 when absent. Runs none of its code: nobody would catch a raise. */
static double read_number(lua_State *L, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    double value = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return value;
}

/* `replay = true`: recorded; `replay_hides`: a list of names. The route's table is at the top of the stack. */
static void read_recording(lua_State *L, struct route *route)
{
    lua_pushliteral(L, "replay");
    lua_rawget(L, -2);
    route->is_recorded = lua_toboolean(L, -1);
    lua_pushliteral(L, "replay_hides");
    lua_rawget(L, -3);
    size_t count = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
    if (count > 0)
        route->hides = mem_zalloc((count + 1) * sizeof *route->hides);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        route->hides[i] = mem_strdup(lua_isstring(L, -1) ? lua_tostring(L, -1) : "");
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
}

/* The route's table is at the top of the stack. */
static enum result read_route(struct metrics *metrics, lua_State *L, struct route *route,
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

    route->max_body_bytes = (size_t)read_number(L, "max_body_bytes");
    route->deadline_ms = (unsigned)read_number(L, "deadline_ms");
    route->seconds = find_seconds(metrics, route->pattern);
    read_recording(L, route);
    return R_OK;
}

static enum result add_route(struct metrics *metrics, lua_State *L, struct routes *routes,
                             struct failure *why)
{
    struct route *route = &routes->list[routes->count++];
    struct failure reason = {0};

    if (!lua_istable(L, -1))
        return fail(why, R_REJECTED, "lua/routes.lua: route %u is not a table", routes->count);
    enum result rc = read_route(metrics, L, route, why);
    if (rc != R_OK)
        return rc;
    rc = router_add(routes->router, route->method, route->pattern, (int)routes->count, &reason);
    if (rc != R_OK)
        return fail(why, R_REJECTED, "lua/routes.lua: %s %s: %s", route->method, route->pattern,
                    reason.text);
    return R_OK;
}

/* The list of routes is at the top of the stack. */
static enum result add_routes(struct metrics *metrics, lua_State *L, struct routes *routes,
                              struct failure *why)
{
    enum result rc = R_OK;
    if (!lua_istable(L, -1))
        return fail(why, R_REJECTED, "lua/init.lua: the table it returns needs `routes`");
    unsigned count = (unsigned)lua_objlen(L, -1);
    routes->list = mem_zalloc((count + 1) * sizeof *routes->list);
    for (unsigned i = 1; i <= count && rc == R_OK; i++) {
        lua_rawgeti(L, -1, (int)i);
        rc = add_route(metrics, L, routes, why);
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

enum result routes_build(struct generation *generation, struct metrics *metrics,
                         struct failure *why)
{
    struct routes *routes = mem_new(struct routes);
    lua_State *L = generation_lua(generation);

    routes->router = router_new();
    routes->files = collect_files(generation_bundle(generation));
    routes->unmatched.method = mem_strdup("");
    routes->unmatched.pattern = mem_strdup("");
    routes->unmatched.seconds = find_seconds(metrics, "");
    generation_attach(generation, routes_hold(routes), release_routes);
    generation_push_member(generation, "routes");
    enum result rc = add_routes(metrics, L, routes, why);
    lua_pop(L, 1);
    return rc;
}

struct routes *routes_of(const struct generation *generation)
{
    return generation_attached(generation);
}

const char *route_pattern(const struct route *route)
{
    return route->pattern;
}
