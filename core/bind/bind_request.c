/* bind_request.c: the request as a script sees it, and reading a script's response. Nothing is
 * copied into Lua before it is asked for: most handlers look at two or three members. */
#include "bind/bind.h"
#include "bind/exchange.h"
#include "bind/routes.h"
#include "base/mem.h"
#include "base/percent.h"
#include "script/wait.h"

#include <stdio.h>
#include <stdlib.h>

static const char request_meta[] = "fura.request";

static struct exchange *check_exchange(lua_State *L)
{
    struct exchange **box = luaL_checkudata(L, 1, request_meta);
    if (!*box)
        luaL_error(L, "this request has been answered: keep the values you need, not the request");
    return *box;
}

/* ---- members ---- */

static void push_params(lua_State *L, const struct exchange *exchange)
{
    struct buf text = {0};
    lua_newtable(L);
    for (unsigned i = 0; i < exchange->match.param_count; i++) {
        const struct router_param *param = &exchange->match.params[i];
        buf_clear(&text);
        bind_push_slice(L, param->name);
        if (percent_decode(param->value, false, &text))
            bind_push_slice(L, buf_slice(&text));
        else
            bind_push_slice(L, param->value);
        lua_rawset(L, -3);
    }
    buf_free(&text);
}

/* Made when first asked for. */
static void push_context(lua_State *L, struct exchange *exchange)
{
    if (!exchange->has_context) {
        lua_createtable(L, 0, 1);
        lua_newtable(L);
        lua_setfield(L, -2, "context");
        lua_setfenv(L, 1);
        exchange->has_context = true;
    }
    lua_getfenv(L, 1);
    lua_pushliteral(L, "context");
    lua_rawget(L, -2);
}

enum member {
    METHOD = 1,
    PATH,
    QUERY_STRING,
    PARAMS,
    BODY,
    ID,
    ADDRESS,
    SCHEME,
    HOST,
    ROUTE,
    ALLOW,
    IS_LOCAL,
    LISTENER,
    CONTEXT,
    DRIVER_ID,
    REPLAY_OF,
};

static const struct {
    const char *name;
    enum member member;
} members[] = {
    {"method", METHOD},       {"path", PATH},       {"query_string", QUERY_STRING},
    {"params", PARAMS},       {"body", BODY},       {"id", ID},
    {"address", ADDRESS},     {"scheme", SCHEME},   {"host", HOST},
    {"route", ROUTE},         {"allow", ALLOW},     {"is_local", IS_LOCAL},
    {"listener", LISTENER},   {"context", CONTEXT}, {"driver_id", DRIVER_ID},
    {"replay_of", REPLAY_OF},
};

static void push_member(lua_State *L, struct exchange *exchange, enum member member)
{
    const struct http_request *req = exchange->request;

    switch (member) {
    case METHOD:
        bind_push_slice(L, http_method(req));
        break;
    case PATH:
        bind_push_slice(L, http_path(req));
        break;
    case QUERY_STRING:
        bind_push_slice(L, http_query(req));
        break;
    case PARAMS:
        push_params(L, exchange);
        break;
    case BODY:
        bind_push_slice(L, http_body(req));
        break;
    case ID:
        bind_push_slice(L, http_id(req));
        break;
    case ADDRESS:
        bind_push_slice(L, http_address(req));
        break;
    case SCHEME:
        bind_push_slice(L, http_scheme(req));
        break;
    case HOST:
        bind_push_slice(L, http_host(req));
        break;
    case ROUTE:
        lua_pushstring(L, exchange->route ? route_pattern(exchange->route) : NULL);
        break;
    case ALLOW:
        lua_pushstring(L, exchange->is_known_path ? exchange->match.allow : NULL);
        break;
    case IS_LOCAL:
        lua_pushboolean(L, http_is_local(req));
        break;
    case LISTENER:
        lua_pushinteger(L, http_listener(req));
        break;
    case CONTEXT:
        push_context(L, exchange);
        break;
    case DRIVER_ID:
        lua_pushstring(L, exchange->driver_id[0] ? exchange->driver_id : NULL);
        break;
    case REPLAY_OF: /* only a recorded request has it (replay_world.lua): what came in by a socket never does */
        lua_pushnil(L);
        break;
    }
}

/* Upvalue 1: name -> number of the member, or the method itself. */
static int l_index(lua_State *L)
{
    struct exchange *exchange = check_exchange(L);
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (lua_isfunction(L, -1))
        return 1;
    if (lua_isnil(L, -1))
        return luaL_error(L, "a request has no member '%s'", lua_tostring(L, 2));
    push_member(L, exchange, (enum member)lua_tointeger(L, -1));
    return 1;
}

static int l_newindex(lua_State *L)
{
    struct exchange *exchange = check_exchange(L);
    const char *name = luaL_checkstring(L, 2);
    if (strcmp(name, "driver_id") != 0)
        return luaL_error(L, "request.%s cannot be set: put it into request.context", name);
    snprintf(exchange->driver_id, sizeof exchange->driver_id, "%s", luaL_checkstring(L, 3));
    return 0;
}

static int l_header(lua_State *L)
{
    struct slice value = http_find_header(check_exchange(L)->request, bind_check_slice(L, 2));
    if (!value.data)
        return 0;
    bind_push_slice(L, value);
    return 1;
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static bool find_cookie(struct slice header, struct slice name, struct slice *value)
{
    while (header.len > 0) {
        struct slice pair = trim(slice_cut(&header, ';'));
        if (pair.len > name.len && pair.data[name.len] == '=' && slice_starts(pair, name)) {
            *value = slice_from(pair, name.len + 1);
            return true;
        }
    }
    return false;
}

static int l_cookie(lua_State *L)
{
    struct slice header = http_find_header(check_exchange(L)->request, SLICE("cookie")), value;
    if (!header.data || !find_cookie(header, bind_check_slice(L, 2), &value))
        return 0;
    bind_push_slice(L, value);
    return 1;
}

/* ---- the answer ---- */

static void add_header(lua_State *L, struct http_answer *answer, struct answer_storage *storage,
                       struct slice name)
{
    bool is_number = lua_type(L, -1) == LUA_TNUMBER;
    if (lua_type(L, -1) != LUA_TSTRING && !is_number)
        luaL_error(L, "response header '%s' must be a string, not a %s", name.data,
                   luaL_typename(L, -1));
    if (answer->header_count == ANSWER_HEADERS_MAX)
        luaL_error(L, "a response may have %d headers at most", ANSWER_HEADERS_MAX);
    struct slice value;
    value.data = lua_tolstring(L, -1, &value.len);
    if (is_number) /* nothing but this stack keeps the text made of it */
        value.data = memcpy(storage->numbers[answer->header_count], value.data, value.len);
    if (memchr(value.data, '\r', value.len) || memchr(value.data, '\n', value.len) ||
        memchr(value.data, '\0', value.len))
        luaL_error(L, "response header '%s' holds a line break", name.data);
    storage->headers[answer->header_count++] = (struct http_header){name, value};
}

/* The headers table is at the top of the stack. Its strings stay alive on it. */
static void read_headers(lua_State *L, struct http_answer *answer, struct answer_storage *storage)
{
    int table = lua_gettop(L);
    luaL_checktype(L, table, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "a response header's name must be a string");
        struct slice name;
        name.data = lua_tolstring(L, -2, &name.len);
        if (!lua_istable(L, -1)) {
            add_header(L, answer, storage, name);
            continue;
        }
        for (int i = 1; i <= (int)lua_objlen(L, -1); i++) {
            lua_rawgeti(L, -1, i);
            add_header(L, answer, storage, name);
            lua_pop(L, 1);
        }
    }
    answer->headers = storage->headers;
}

/* Runs no code of the script: nobody would stop it here. */
static void push_own(lua_State *L, int table, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, table);
}

void request_read_answer(lua_State *L, int index, struct http_answer *answer,
                         struct answer_storage *storage)
{
    if (!lua_istable(L, index))
        luaL_error(L, "a handler must return a response table, not %s", luaL_typename(L, index));
    *answer = (struct http_answer){.status = 200, .may_compress = true};

    push_own(L, index, "status");
    if (!lua_isnil(L, -1))
        answer->status = (int)lua_tointeger(L, -1);
    if (answer->status < 200 || answer->status > 599)
        luaL_error(L, "response.status must be 200 to 599");
    push_own(L, index, "compress");
    answer->may_compress = lua_isnil(L, -1) || lua_toboolean(L, -1);
    push_own(L, index, "close");
    answer->close = lua_toboolean(L, -1);
    push_own(L, index, "body");
    if (!lua_isnil(L, -1)) {
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "response.body must be a string, not a %s", luaL_typename(L, -1));
        answer->body.data = lua_tolstring(L, -1, &answer->body.len);
    }
    push_own(L, index, "headers");
    if (!lua_isnil(L, -1))
        read_headers(L, answer, storage);
}

/* ---- streaming ---- */

static int l_begin(lua_State *L)
{
    struct exchange *exchange = check_exchange(L);
    struct answer_storage storage;
    struct http_answer answer;
    request_read_answer(L, 2, &answer, &storage);
    exchange->streaming = true;
    http_stream_begin(exchange->request, &answer);
    return 0;
}

/* A task may have others write for it too. */
struct writer {
    struct wait *wait;
    struct writer *next;
};

/* Those who go on may have to wait again: they join a new list. */
static void on_drain(void *owner)
{
    struct exchange *exchange = owner;
    struct writer *writer = exchange->writers;
    exchange->writers = NULL;
    while (writer) {
        struct writer was = *writer;
        free(writer);
        wait_finish(was.wait, 0);
        writer = was.next;
    }
}

static void add_writer(struct exchange *exchange, struct wait *wait)
{
    struct writer *writer = mem_new(struct writer);
    writer->wait = wait;
    *(exchange->writers ? exchange->last_writer : &exchange->writers) = writer;
    exchange->last_writer = &writer->next;
    http_stream_on_drain(exchange->request, on_drain, exchange);
}

static int l_write(lua_State *L)
{
    struct exchange *exchange = check_exchange(L);
    enum result rc = http_stream_write(exchange->request, bind_check_slice(L, 2));
    if (rc != R_OVERLOADED)
        return rc == R_OK ? 0 : bind_failure(L, rc, "stream");
    struct wait *wait = wait_begin(L, "client");
    add_writer(exchange, wait);
    return wait_yield(L, wait);
}

void request_push_stream_functions(lua_State *L)
{
    lua_pushcfunction(L, l_begin);
    lua_pushcfunction(L, l_write);
}

/* ---- opening ---- */

void request_push(lua_State *L, struct exchange *exchange)
{
    struct exchange **box = lua_newuserdata(L, sizeof(struct exchange *));
    *box = exchange;
    exchange->box = box;
    luaL_getmetatable(L, request_meta);
    lua_setmetatable(L, -2);
}

void request_open(lua_State *L)
{
    luaL_newmetatable(L, request_meta);
    lua_newtable(L);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        lua_pushinteger(L, members[i].member);
        lua_setfield(L, -2, members[i].name);
    }
    lua_pushcfunction(L, l_header);
    lua_setfield(L, -2, "header");
    lua_pushcfunction(L, l_cookie);
    lua_setfield(L, -2, "cookie");
    lua_pushcclosure(L, l_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_newindex);
    lua_setfield(L, -2, "__newindex");
    bind_hide_metatable(L);
    lua_pop(L, 1);
}
