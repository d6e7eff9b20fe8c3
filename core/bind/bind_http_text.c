/* bind_http_text.c: the part of host.http that does not wait: percent-encoding, query strings, address blocks. */
#include "bind/bind.h"
#include "bind/bind_http.h"
#include "base/cidr.h"
#include "base/percent.h"
#include "base/query.h"

#include <math.h>
#include <stdlib.h>

static int l_escape(lua_State *L)
{
    percent_encode(bind_check_slice(L, 1), bind_scratch());
    return bind_push_scratch(L);
}

static int l_unescape(lua_State *L)
{
    if (percent_decode(bind_check_slice(L, 1), true, bind_scratch()))
        return bind_push_scratch(L);
    lua_pushnil(L);
    return 1;
}

static bool push_decoded(lua_State *L, struct slice text)
{
    bool ok = percent_decode(text, true, bind_scratch());
    if (ok)
        bind_push_scratch(L);
    return ok;
}

static int l_parse_query(lua_State *L)
{
    struct slice rest = bind_check_slice(L, 1), key, value;
    int count = 0;

    lua_settop(L, 1);
    lua_newtable(L);
    while (query_next(&rest, &key, &value)) {
        lua_createtable(L, 2, 0);
        if (!push_decoded(L, key))
            return bind_failure_text(L, "invalid", "http", "a bad percent escape");
        lua_rawseti(L, 3, 1);
        if (!push_decoded(L, value))
            return bind_failure_text(L, "invalid", "http", "a bad percent escape");
        lua_rawseti(L, 3, 2);
        lua_rawseti(L, 2, ++count);
    }
    return 1;
}

/* ---- encode_query ---- */

/* Lua writes at most 14 digits; ids have more. */
static void append_number(struct buf *out, double number)
{
    bool whole = number == floor(number) && fabs(number) <= 9007199254740992.0;
    buf_printf(out, whole ? "%.0f" : "%.14g", number);
}

static void append_value(lua_State *L, int index, struct buf *out)
{
    struct slice text;

    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        append_number(out, lua_tonumber(L, index));
        break;
    case LUA_TSTRING:
        text.data = lua_tolstring(L, index, &text.len);
        percent_encode(text, out);
        break;
    case LUA_TBOOLEAN:
        buf_append_slice(out, lua_toboolean(L, index) ? SLICE("true") : SLICE("false"));
        break;
    default:
        luaL_error(L, "encode_query takes strings, numbers and booleans, not a %s",
                   luaL_typename(L, index));
    }
}

/* The key and value on top; popped. */
static void append_pair(lua_State *L, struct buf *out)
{
    if (out->len > 0)
        buf_append_char(out, '&');
    append_value(L, -2, out);
    buf_append_char(out, '=');
    append_value(L, -1, out);
    lua_pop(L, 2);
}

static int encode_pairs(lua_State *L, struct buf *out)
{
    size_t count = lua_objlen(L, 1);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, 1, (int)i);
        luaL_argcheck(L, lua_istable(L, -1), 1, "pairs {key, value} expected");
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        append_pair(L, out);
        lua_pop(L, 1);
    }
    return bind_push_scratch(L);
}

static int compare_keys(const void *left, const void *right)
{
    const struct slice *a = left, *b = right;
    size_t len = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->data, b->data, len);
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static int encode_map(lua_State *L, struct buf *out)
{
    size_t count = 0, next = 0;

    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1))
        count++;
    struct slice *keys = lua_newuserdata(L, (count + 1) * sizeof *keys); /* freed also on a raise */
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "encode_query takes pairs {key, value} or a map with string keys");
        keys[next].data = lua_tolstring(L, -2, &keys[next].len);
        next++;
    }
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 0; i < count; i++) {
        bind_push_slice(L, keys[i]);
        lua_pushvalue(L, -1);
        lua_rawget(L, 1);
        append_pair(L, out);
    }
    return bind_push_scratch(L);
}

static int l_encode_query(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    return lua_objlen(L, 1) > 0 ? encode_pairs(L, bind_scratch()) : encode_map(L, bind_scratch());
}

static int l_address_in(lua_State *L)
{
    struct slice text = bind_check_slice(L, 1);
    struct cidr_list *list = NULL;
    struct cidr_address address;
    struct failure why = {0};

    if (cidr_list_parse(bind_check_slice(L, 2), &list, &why) != R_OK)
        return luaL_error(L, "%s", why.text);
    lua_pushboolean(L, cidr_address_parse(text, &address) && cidr_list_has(list, &address));
    cidr_list_free(list);
    return 1;
}

void bind_http_add_text_functions(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"escape", l_escape},           {"unescape", l_unescape},
        {"parse_query", l_parse_query}, {"encode_query", l_encode_query},
        {"address_in", l_address_in},   {NULL, NULL},
    };
    for (const luaL_Reg *function = functions; function->name; function++) {
        lua_pushcfunction(L, function->func);
        lua_setfield(L, -2, function->name);
    }
}
