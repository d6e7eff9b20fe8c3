/* conf_value.c: see conf_value.h. */
#include "base/conf_value.h"
#include "base/json_text.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { INTEGER_EXACT_MAX_BITS = 53, PACKED_DEPTH_MAX = 16 };

struct conf_value conf_value_text(struct slice text)
{
    return (struct conf_value){
        .kind = CONF_TEXT,
        .text = slice_of(mem_strndup(text.data ? text.data : "", text.len), text.len),
    };
}

struct conf_value *conf_value_append(struct conf_value *list, const char *name)
{
    list->items = mem_realloc(list->items, (list->count + 1) * sizeof *list->items);
    struct conf_item *item = &list->items[list->count++];
    *item = (struct conf_item){.name = name ? mem_strdup(name) : NULL};
    return &item->value;
}

struct conf_value conf_value_copy(const struct conf_value *value)
{
    if (value->kind == CONF_TEXT)
        return conf_value_text(value->text);
    struct conf_value copy = *value;
    copy.items = NULL;
    copy.count = 0;
    for (unsigned i = 0; i < value->count; i++)
        *conf_value_append(&copy, value->items[i].name) = conf_value_copy(&value->items[i].value);
    return copy;
}

void conf_value_clear(struct conf_value *value)
{
    free((char *)(uintptr_t)value->text.data);
    for (unsigned i = 0; i < value->count; i++) {
        free(value->items[i].name);
        conf_value_clear(&value->items[i].value);
    }
    free(value->items);
    *value = (struct conf_value){0};
}

bool conf_value_equals(const struct conf_value *a, const struct conf_value *b)
{
    /* The packed form is canonical: maps are sorted. */
    struct buf x = {0}, y = {0};
    conf_value_pack(a, &x);
    conf_value_pack(b, &y);
    bool same = slice_eq(buf_slice(&x), buf_slice(&y));
    buf_free(&x);
    buf_free(&y);
    return same;
}

/* ---- JSON ---- */

static void items_json(const struct conf_value *value, struct buf *out)
{
    bool is_map = value->kind == CONF_MAP;
    buf_append_char(out, is_map ? '{' : '[');
    for (unsigned i = 0; i < value->count; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        if (is_map) {
            json_text_append(out, slice_cstr(value->items[i].name));
            buf_append_char(out, ':');
        }
        conf_value_json(&value->items[i].value, out);
    }
    buf_append_char(out, is_map ? '}' : ']');
}

void conf_value_json(const struct conf_value *value, struct buf *out)
{
    switch (value->kind) {
    case CONF_UNSET:
        buf_append_slice(out, SLICE("null"));
        return;
    case CONF_TEXT:
        json_text_append(out, value->text);
        return;
    case CONF_INTEGER:
        buf_printf(out, "%lld", (long long)value->integer);
        return;
    case CONF_NUMBER:
        buf_printf(out, "%.17g", value->number);
        return;
    case CONF_FLAG:
        buf_printf(out, "%s", value->integer ? "true" : "false");
        return;
    case CONF_ARRAY:
    case CONF_MAP:
        items_json(value, out);
        return;
    }
}

/* ---- Lua ---- */

/* A Lua number is exact to 2^53 only; beyond it the decimal text goes, as for a bigint of the
 * database. */
static void push_integer(lua_State *L, int64_t integer)
{
    int64_t limit = (int64_t)1 << INTEGER_EXACT_MAX_BITS;
    char text[24];
    if (integer <= limit && integer >= -limit) {
        lua_pushnumber(L, (lua_Number)integer);
    } else {
        snprintf(text, sizeof text, "%lld", (long long)integer);
        lua_pushstring(L, text);
    }
}

void conf_value_push(lua_State *L, const struct conf_value *value)
{
    switch (value->kind) {
    case CONF_UNSET:
        lua_pushnil(L);
        return;
    case CONF_TEXT:
        lua_pushlstring(L, value->text.data, value->text.len);
        return;
    case CONF_INTEGER:
        push_integer(L, value->integer);
        return;
    case CONF_NUMBER:
        lua_pushnumber(L, value->number);
        return;
    case CONF_FLAG:
        lua_pushboolean(L, value->integer != 0);
        return;
    case CONF_ARRAY:
    case CONF_MAP:
        lua_createtable(L, 0, 0);
        for (unsigned i = 0; i < value->count; i++) {
            conf_value_push(L, &value->items[i].value);
            if (value->kind == CONF_MAP)
                lua_setfield(L, -2, value->items[i].name);
            else
                lua_rawseti(L, -2, (int)i + 1);
        }
        return;
    }
}

/* ---- bytes ---- */

void conf_pack_u32(struct buf *out, uint32_t number)
{
    buf_append(out, &number, sizeof number);
}

void conf_pack_bytes(struct buf *out, struct slice bytes)
{
    conf_pack_u32(out, (uint32_t)bytes.len);
    buf_append_slice(out, bytes);
}

bool conf_unpack_u32(struct slice *rest, uint32_t *number)
{
    if (rest->len < sizeof *number)
        return false;
    memcpy(number, rest->data, sizeof *number);
    *rest = slice_from(*rest, sizeof *number);
    return true;
}

bool conf_unpack_bytes(struct slice *rest, struct slice *bytes)
{
    uint32_t len;
    if (!conf_unpack_u32(rest, &len) || rest->len < len)
        return false;
    *bytes = slice_of(rest->data, len);
    *rest = slice_from(*rest, len);
    return true;
}

void conf_value_pack(const struct conf_value *value, struct buf *out)
{
    conf_pack_u32(out, value->kind);
    conf_pack_bytes(out, value->text);
    buf_append(out, &value->integer, sizeof value->integer);
    buf_append(out, &value->number, sizeof value->number);
    conf_pack_u32(out, value->count);
    for (unsigned i = 0; i < value->count; i++) {
        const char *name = value->items[i].name;
        conf_pack_bytes(out, name ? slice_cstr(name) : SLICE(""));
        conf_value_pack(&value->items[i].value, out);
    }
}

static bool unpack_raw(struct slice *rest, void *out, size_t len)
{
    if (rest->len < len)
        return false;
    memcpy(out, rest->data, len);
    *rest = slice_from(*rest, len);
    return true;
}

static bool unpack(struct slice *rest, struct conf_value *out, int depth);

static bool unpack_items(struct slice *rest, uint32_t count, struct conf_value *out, int depth)
{
    for (uint32_t i = 0; i < count; i++) {
        struct slice bytes;
        if (!conf_unpack_bytes(rest, &bytes))
            return false;
        char *name = mem_strndup(bytes.data, bytes.len);
        struct conf_value *item = conf_value_append(out, out->kind == CONF_MAP ? name : NULL);
        free(name);
        if (!unpack(rest, item, depth + 1))
            return false;
    }
    return true;
}

static bool unpack(struct slice *rest, struct conf_value *out, int depth)
{
    uint32_t kind, count;
    struct slice text;
    if (depth > PACKED_DEPTH_MAX || !conf_unpack_u32(rest, &kind) || kind > CONF_MAP ||
        !conf_unpack_bytes(rest, &text))
        return false;
    *out = kind == CONF_TEXT ? conf_value_text(text)
                             : (struct conf_value){.kind = (enum conf_kind)kind};
    return unpack_raw(rest, &out->integer, sizeof out->integer) &&
           unpack_raw(rest, &out->number, sizeof out->number) && conf_unpack_u32(rest, &count) &&
           unpack_items(rest, count, out, depth);
}

bool conf_value_unpack(struct slice *rest, struct conf_value *out)
{
    *out = (struct conf_value){0};
    if (unpack(rest, out, 0))
        return true;
    conf_value_clear(out);
    return false;
}
