/* routes.c: `fura routes`: the table of a generation: method, path, access, limits. */
#include "command/session.h"
#include "json.h"
#include "script/generation.h"

#include <lauxlib.h>
#include <stdio.h>

struct row {
    const char *method, *pattern, *name, *access, *limit; /* limit: how often, by its class */
    int64_t max_body_bytes, deadline_ms;
};

/* A field of the route on top; the strings live as long as the route. */
static const char *text_field(lua_State *L, const char *name)
{
    lua_getfield(L, -1, name);
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    lua_pop(L, 1);
    return text;
}

/* A limit of the route itself, else the server's. */
static int64_t limit_of(lua_State *L, const char *name, const struct conf *conf, const char *key)
{
    lua_getfield(L, -1, name);
    int64_t own = lua_isnumber(L, -1) ? lua_tointeger(L, -1) : 0;
    lua_pop(L, 1);
    return own > 0 ? own : conf_integer(conf, key);
}

static struct row read_row(lua_State *L, const struct conf *conf)
{
    struct row row = {.name = text_field(L, "name"),
                      .access = text_field(L, "access"),
                      .limit = text_field(L, "limit"),
                      .max_body_bytes = limit_of(L, "max_body_bytes", conf, "http.max_body_bytes"),
                      .deadline_ms = limit_of(L, "deadline_ms", conf, "http.request_deadline_ms")};
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    row.method = lua_tostring(L, -2);
    row.pattern = lua_tostring(L, -1);
    lua_pop(L, 2);
    return row;
}

static void print_row(const struct row *row)
{
    printf("%-7s %-44s %-9s %-9s %12lld  %12lld%s%s\n", row->method, row->pattern,
           row->access ? row->access : "-", row->limit ? row->limit : "-",
           (long long)row->max_body_bytes, (long long)row->deadline_ms, row->name ? "  " : "",
           row->name ? row->name : "");
}

static void put_optional(struct buf *out, const char *name, const char *text)
{
    if (text)
        json_put_member(out, name, slice_cstr(text));
}

static void put_row(const struct row *row, struct buf *out)
{
    json_put_comma(out);
    buf_append_char(out, '{');
    json_put_member(out, "method", slice_cstr(row->method));
    json_put_member(out, "path", slice_cstr(row->pattern));
    put_optional(out, "name", row->name);
    put_optional(out, "access", row->access);
    put_optional(out, "limit", row->limit);
    json_put_integer(out, "max_body_bytes", row->max_body_bytes);
    json_put_integer(out, "deadline_ms", row->deadline_ms);
    buf_append_char(out, '}');
}

static void list_routes(struct session *session, bool json)
{
    lua_State *L = session_lua(session);
    struct buf out = {0};

    if (!json)
        printf("%-7s %-44s %-9s %-9s %12s  %12s\n", "method", "path", "access", "how often",
               "body, bytes", "deadline, ms");
    buf_append_char(&out, '[');
    generation_push_member(session_generation(session), "routes");
    for (int i = 1; lua_istable(L, -1); i++) {
        lua_rawgeti(L, -1, i);
        if (!lua_istable(L, -1)) {
            lua_pop(L, 1);
            break;
        }
        struct row row = read_row(L, session_conf(session));
        if (json && row.method && row.pattern)
            put_row(&row, &out);
        else if (row.method && row.pattern)
            print_row(&row);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    buf_append_char(&out, ']');
    if (json)
        printf("%s\n", buf_cstr(&out));
    buf_free(&out);
}

int routes_run(const struct invocation *invocation)
{
    struct session *session = session_open(invocation, "check", false);
    if (!session)
        return EXIT_REFUSED;
    list_routes(session, invocation->json);
    session_close(session);
    return EXIT_OK;
}
