/* conf_parse_lua.c: one value of a conf file, as Lua gives it, checked against its key. Text means what it means in the
 * environment; numbers, switches and tables are taken as they are. */
#include "base/conf_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TABLE_DEPTH_MAX = 8 };

static bool refuse_lua(const struct conf_key *key, lua_State *L, int index, struct buf *why)
{
    buf_append_slice(why, SLICE("has the wrong type (expected "));
    conf_parse_expected(key, why);
    const char *type = lua_typename(L, lua_type(L, index));
    if (lua_type(L, index) == LUA_TNUMBER && !key->secret)
        buf_printf(why, ", got the number %.14g)", lua_tonumber(L, index));
    else
        buf_printf(why, ", got a %s)", type);
    return false;
}

static bool is_list_type(enum conf_type type)
{
    return type == CONF_TYPE_LISTEN_LIST || type == CONF_TYPE_CIDR_LIST || type == CONF_TYPE_LIST ||
           type == CONF_TYPE_INTEGER_LIST || type == CONF_TYPE_BASE64_32;
}

/* Strings, and numbers where integers are wanted, at 1…n and nothing else. */
static bool parse_lua_list(const struct conf_key *key, lua_State *L, int index,
                           struct conf_value *out, struct buf *why)
{
    struct conf_slices items = {0};
    int wanted = key->type == CONF_TYPE_INTEGER_LIST ? LUA_TNUMBER : LUA_TSTRING;
    size_t count = lua_objlen(L, index), pairs = 0;
    bool good = true;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        pairs++;
    lua_createtable(L, (int)count,
                    0); /* keeps texts of numbers alive: the list itself must stay as it is */
    for (size_t i = 1; good && i <= count; i++) {
        lua_rawgeti(L, index, (int)i);
        size_t len;
        good = lua_type(L, -1) == wanted;
        const char *text = good ? lua_tolstring(L, -1, &len) : NULL;
        if (good)
            conf_slices_add(&items, slice_of(text, len));
        lua_rawseti(L, -2, (int)i);
    }
    good = good && pairs == count ? conf_parse_items(key, &items, out, why)
                                  : refuse_lua(key, L, index, why);
    lua_pop(L, 1);
    free(items.list);
    return good;
}

static bool copy_lua(lua_State *L, int index, struct conf_value *out, int depth);

static int by_item_name(const void *a, const void *b)
{
    return strcmp(((const struct conf_item *)a)->name, ((const struct conf_item *)b)->name);
}

static bool copy_lua_table(lua_State *L, int index, struct conf_value *out, int depth)
{
    size_t count = lua_objlen(L, index);
    bool good = depth < TABLE_DEPTH_MAX;
    out->kind = count > 0 ? CONF_ARRAY : CONF_MAP;
    for (size_t i = 1; good && i <= count; i++) {
        lua_rawgeti(L, index, (int)i);
        good = copy_lua(L, lua_gettop(L), conf_value_append(out, NULL), depth + 1);
        lua_pop(L, 1);
    }
    size_t pairs = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1), pairs++) {
        if (!good || count > 0)
            continue;
        good = lua_type(L, -2) == LUA_TSTRING;
        if (good)
            good =
                copy_lua(L, lua_gettop(L), conf_value_append(out, lua_tostring(L, -2)), depth + 1);
    }
    if (good && out->kind == CONF_MAP && out->count > 0)
        qsort(out->items, out->count, sizeof *out->items, by_item_name);
    return good && (count == 0 || pairs == count);
}

/* Plain data only. */
static bool copy_lua(lua_State *L, int index, struct conf_value *out, int depth)
{
    size_t len;
    const char *text;
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &len);
        *out = conf_value_text(slice_of(text, len));
        return true;
    case LUA_TNUMBER:
        *out = (struct conf_value){.kind = CONF_NUMBER, .number = lua_tonumber(L, index)};
        return true;
    case LUA_TBOOLEAN:
        *out = (struct conf_value){.kind = CONF_FLAG, .integer = lua_toboolean(L, index)};
        return true;
    case LUA_TTABLE:
        return copy_lua_table(L, index, out, depth);
    default:
        return false;
    }
}

static bool parse_lua_number(const struct conf_key *key, lua_State *L, int index,
                             struct conf_value *out, struct buf *why)
{
    char text[32];
    double number = lua_tonumber(L, index);
    if (key->type != CONF_TYPE_INTEGER || number < -9007199254740992.0 ||
        number > 9007199254740992.0 || number - (double)(int64_t)number != 0.0)
        return refuse_lua(key, L, index, why);
    snprintf(text, sizeof text, "%" PRId64, (int64_t)number);
    return conf_parse_text(key, slice_cstr(text), out, why);
}

bool conf_parse_lua(const struct conf_key *key, lua_State *L, int index, struct conf_value *out,
                    struct buf *why)
{
    int type = lua_type(L, index);
    size_t len;
    if (type == LUA_TSTRING) {
        const char *text = lua_tolstring(L, index, &len);
        return conf_parse_text(key, slice_of(text, len), out, why);
    }
    if (type == LUA_TNUMBER)
        return parse_lua_number(key, L, index, out, why);
    if (type == LUA_TBOOLEAN && key->type == CONF_TYPE_BOOLEAN) {
        *out = (struct conf_value){.kind = CONF_FLAG, .integer = lua_toboolean(L, index)};
        return true;
    }
    if (type == LUA_TTABLE && is_list_type(key->type))
        return parse_lua_list(key, L, index, out, why);
    if (type == LUA_TTABLE && key->type == CONF_TYPE_TABLE) {
        struct conf_value table = {0};
        if (copy_lua(L, index, &table, 0)) {
            *out = table;
            return true;
        }
        conf_value_clear(&table);
    }
    return refuse_lua(key, L, index, why);
}
