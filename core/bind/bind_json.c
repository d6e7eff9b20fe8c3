/* bind_json.c: host.json. Decoding by lua-cjson behind our own limits; encoding is ours, because
 * cjson writes at most 14 digits and cannot say «empty list». */
#include "bind/bind.h"
#include "base/utf8.h"
#include "script/long_call.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Debian's lua-cjson declares no prototype for it. Returns nil, message instead of raising. */
int luaopen_cjson_safe(lua_State *L);

enum {
    MAX_DEPTH = 64,
    MAX_BYTES = 1024 * 1024,
    ENCODED_MAX_MB = 64,
    VALUES_PER_LOOK = 256, /* values written between two looks for the watchdog */
};

static const char array_meta, decoder; /* registry keys */

struct encoder {
    lua_State *L;
    struct buf *out;
    bool sorted;
    int depth;
    unsigned values;
};

static void encode_value(struct encoder *e, int index);

/* ---- scalars ---- */

static const char hex_digits[] = "0123456789abcdef";

static void encode_escape(struct buf *out, unsigned char c)
{
    static const char short_forms[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                       ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    char text[6] = {'\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15]};
    if (c < sizeof short_forms && short_forms[c]) {
        text[1] = short_forms[c];
        buf_append(out, text, 2);
    } else {
        buf_append(out, text, 6);
    }
}

/* Bytes that are not UTF-8 become U+FFFD: an answer must stay readable whatever an upstream sent.
 */
static void encode_string(struct buf *out, const char *data, size_t len)
{
    size_t at = 0, plain = 0; /* data[plain..at) needs no change */

    buf_append_char(out, '"');
    while (at < len) {
        unsigned char c = (unsigned char)data[at];
        unsigned size = c < 0x80 ? 1 : utf8_sequence(data + at, len - at);
        if (size > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            at += size;
            continue;
        }
        buf_append(out, data + plain, at - plain);
        if (size == 0)
            buf_append_slice(out, SLICE("\xef\xbf\xbd"));
        else
            encode_escape(out, c);
        plain = ++at;
    }
    buf_append(out, data + plain, at - plain);
    buf_append_char(out, '"');
}

static void encode_integer(struct buf *out, int64_t value)
{
    char text[24];
    char *at = text + sizeof text;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        *--at = '-';
    buf_append(out, at, (size_t)(text + sizeof text - at));
}

/* The shortest text that reads back as the same double. */
static void encode_number(struct encoder *e, double value)
{
    char text[32];
    if (value == floor(value) && fabs(value) <= 9007199254740992.0) {
        encode_integer(e->out, (int64_t)value);
        return;
    }
    if (isnan(value) || isinf(value))
        luaL_error(e->L, "JSON has no %s", isnan(value) ? "NaN" : "infinity");
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buf_append_slice(e->out, slice_cstr(text));
}

/* ---- tables ---- */

static bool has_array_mark(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index))
        return false;
    lua_pushlightuserdata(L, (void *)&array_meta);
    lua_rawget(L, LUA_REGISTRYINDEX);
    bool marked = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return marked;
}

static size_t count_keys(lua_State *L, int index)
{
    size_t count = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        count++;
    return count;
}

static void encode_list(struct encoder *e, int index)
{
    size_t len = lua_objlen(e->L, index);

    if (count_keys(e->L, index) != len)
        luaL_error(e->L,
                   "a table with both list items and named keys, or with holes, has no JSON form");
    buf_append_char(e->out, '[');
    for (size_t i = 1; i <= len; i++) {
        if (i > 1)
            buf_append_char(e->out, ',');
        lua_rawgeti(e->L, index, (int)i);
        encode_value(e, lua_gettop(e->L));
        lua_pop(e->L, 1);
    }
    buf_append_char(e->out, ']');
}

static void encode_key(struct encoder *e, int index)
{
    size_t len;
    if (lua_type(e->L, index) != LUA_TSTRING)
        luaL_error(e->L, "a JSON object key must be a string, not a %s",
                   luaL_typename(e->L, index));
    const char *key = lua_tolstring(e->L, index, &len);
    encode_string(e->out, key, len);
    buf_append_char(e->out, ':');
}

static void encode_object(struct encoder *e, int index)
{
    bool first = true;
    buf_append_char(e->out, '{');
    for (lua_pushnil(e->L); lua_next(e->L, index); lua_pop(e->L, 1)) {
        if (!first)
            buf_append_char(e->out, ',');
        first = false;
        encode_key(e, lua_gettop(e->L) - 1);
        encode_value(e, lua_gettop(e->L));
    }
    buf_append_char(e->out, '}');
}

static int compare_keys(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;
    int order = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static void encode_sorted_object(struct encoder *e, int index)
{
    lua_State *L = e->L;
    size_t count = count_keys(L, index), i = 0;
    struct slice *keys =
        lua_newuserdata(L, (count + 1) * sizeof *keys); /* collected if encoding raises */

    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "a JSON object key must be a string, not a %s", luaL_typename(L, -2));
        keys[i].data = lua_tolstring(L, -2, &keys[i].len);
        i++;
    }
    qsort(keys, count, sizeof *keys, compare_keys);
    buf_append_char(e->out, '{');
    for (i = 0; i < count; i++) {
        if (i > 0)
            buf_append_char(e->out, ',');
        encode_string(e->out, keys[i].data, keys[i].len);
        buf_append_char(e->out, ':');
        bind_push_slice(L, keys[i]);
        lua_rawget(L, index);
        encode_value(e, lua_gettop(L));
        lua_pop(L, 1);
    }
    buf_append_char(e->out, '}');
    lua_pop(L, 1);
}

static void encode_table(struct encoder *e, int index)
{
    if (++e->depth > MAX_DEPTH)
        luaL_error(e->L, "nested deeper than %d, or a table that contains itself", MAX_DEPTH);
    luaL_checkstack(e->L, 8, "JSON nesting");
    if (lua_objlen(e->L, index) > 0 || has_array_mark(e->L, index))
        encode_list(e, index);
    else if (e->sorted)
        encode_sorted_object(e, index);
    else
        encode_object(e, index);
    e->depth--;
}

/* A table that holds the same one twice, and so on for 64 floors, would be written for ever. */
static void count_value(struct encoder *e)
{
    if (++e->values % VALUES_PER_LOOK == 0)
        long_call_check(e->L);
    if (e->out->len > (size_t)ENCODED_MAX_MB << 20)
        luaL_error(e->L, "the JSON text is longer than %d MiB", ENCODED_MAX_MB);
}

static void encode_value(struct encoder *e, int index)
{
    size_t len;
    const char *text;

    count_value(e);

    switch (lua_type(e->L, index)) {
    case LUA_TSTRING:
        text = lua_tolstring(e->L, index, &len);
        encode_string(e->out, text, len);
        break;
    case LUA_TNUMBER:
        encode_number(e, lua_tonumber(e->L, index));
        break;
    case LUA_TBOOLEAN:
        buf_append_slice(e->out, lua_toboolean(e->L, index) ? SLICE("true") : SLICE("false"));
        break;
    case LUA_TTABLE:
        encode_table(e, index);
        break;
    case LUA_TNIL:
        buf_append_slice(e->out, SLICE("null"));
        break;
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(e->L, index) == NULL) {
            buf_append_slice(e->out, SLICE("null"));
            break;
        }
        /* fall through */
    default:
        luaL_error(e->L, "a %s has no JSON form", luaL_typename(e->L, index));
    }
}

void bind_json_encode(lua_State *L, int index, struct buf *out)
{
    struct encoder e = {.L = L, .out = out};
    encode_value(&e, index < 0 ? lua_gettop(L) + index + 1 : index);
}

/* One buffer a process: encoding never yields, and a raise leaves it merely unused. */
static struct buf scratch;

static int l_encode_into(lua_State *L)
{
    bind_json_encode(L, 2, lua_touserdata(L, 1));
    return 0;
}

bool bind_json_encode_top(lua_State *L, struct buf *out)
{
    lua_pushcfunction(L, l_encode_into);
    lua_pushlightuserdata(L, out);
    lua_pushvalue(L, -3);
    if (lua_pcall(L, 2, 0, 0) == 0)
        return true;
    buf_clear(out);
    buf_append_slice(out, slice_cstr(lua_tostring(L, -1)));
    lua_pop(L, 1);
    return false;
}

static int l_encode(lua_State *L)
{
    struct encoder e = {.L = L, .out = &scratch, .sorted = bind_opt_bool(L, 2, "sorted", false)};
    buf_clear(&scratch);
    luaL_checkany(L, 1);
    encode_value(&e, 1);
    bind_push_slice(L, buf_slice(&scratch));
    return 1;
}

/* ---- decoding ---- */

/* Nesting is counted before cjson sees the text, so that a hostile body costs one pass. */
static unsigned measure_depth(struct slice text)
{
    unsigned depth = 0, deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > deepest)
                deepest = depth;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

static bool decode(lua_State *L, struct slice text, unsigned max_depth, struct failure *why)
{
    if (!utf8_is_valid(text))
        fail(why, R_INVALID, "the text is not UTF-8");
    else if (measure_depth(text) > max_depth)
        fail(why, R_INVALID, "nested deeper than %u", max_depth);
    else {
        lua_pushlightuserdata(L, (void *)&decoder);
        lua_rawget(L, LUA_REGISTRYINDEX);
        bind_push_slice(L, text);
        lua_call(L, 1, 2);
        if (lua_isnil(L, -1) || !lua_isnil(L, -2)) {
            lua_pop(L, 1);
            return true;
        }
        fail(why, R_INVALID, "%s", lua_tostring(L, -1));
        lua_pop(L, 2);
    }
    return false;
}

bool bind_json_decode(lua_State *L, struct slice text, struct failure *why)
{
    return decode(L, text, MAX_DEPTH, why);
}

static int l_decode(lua_State *L)
{
    struct slice text = bind_check_slice(L, 1);
    double max_bytes = bind_opt_number(L, 2, "max_bytes", MAX_BYTES);
    double max_depth = bind_opt_number(L, 2, "max_depth", MAX_DEPTH);
    struct failure why;

    if ((double)text.len > max_bytes)
        return bind_failure_text(L, "too_big", "json", "the text is longer than allowed");
    if (decode(L, text, (unsigned)max_depth, &why))
        return 1;
    return bind_failure_text(L, "invalid_json", "json", why.text);
}

/* Mark the table on top of the stack. */
static void mark_list(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&array_meta);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_setmetatable(L, -2);
}

void bind_json_push_list(lua_State *L)
{
    lua_newtable(L);
    mark_list(L);
}

static int l_array(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    mark_list(L);
    return 1;
}

static const luaL_Reg functions[] = {
    {"encode", l_encode},
    {"decode", l_decode},
    {"array", l_array},
    {NULL, NULL},
};

static void open_decoder(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&decoder);
    lua_pushcfunction(L, luaopen_cjson_safe);
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "decode_invalid_numbers");
    lua_pushboolean(L, 0);
    lua_call(L, 1, 0);
    lua_getfield(L, -1, "decode_max_depth");
    lua_pushinteger(L, MAX_DEPTH + 1);
    lua_call(L, 1, 0);
    lua_getfield(L, -1, "decode");
    lua_remove(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void bind_json_open(lua_State *L, struct host *host)
{
    open_decoder(L);
    lua_pushlightuserdata(L, (void *)&array_meta);
    lua_newtable(L);
    lua_rawset(L, LUA_REGISTRYINDEX);
    bind_module(L, functions, host);
    bind_push_null(L);
    lua_setfield(L, -2, "null");
}
