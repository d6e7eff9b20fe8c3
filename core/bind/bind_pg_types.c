/* bind_pg_types.c: values between Lua and PostgreSQL's text format. The driver sets DateStyle ISO and TimeZone UTC
 * on every connection, which is the form of time read here. */
#include "bind/bind_pg.h"
#include "base/crypto.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char value_meta[] = "fura.pg.value";

enum { OID_BYTEA = 17, OID_JSONB = 3802 };

/* One buffer a process: nothing here yields, and a raise leaves it merely unused. */
static struct buf scratch;

/* ---- from the database ---- */

static void push_text(lua_State *L, struct slice value)
{
    bind_push_slice(L, value);
}

static void push_boolean(lua_State *L, struct slice value)
{
    lua_pushboolean(L, value.len > 0 && value.data[0] == 't');
}

static void push_number(lua_State *L, struct slice value)
{
    lua_pushnumber(L, strtod(value.data, NULL));
}

/* A double is exact up to 2^53. */
static void push_int8(lua_State *L, struct slice value)
{
    const long long exact = 1LL << 53;
    long long number = strtoll(value.data, NULL, 10);
    if (number >= -exact && number <= exact)
        lua_pushnumber(L, (lua_Number)number);
    else
        bind_push_slice(L, value);
}

static void push_json(lua_State *L, struct slice value)
{
    struct failure why;
    if (!bind_json_decode(L, value, &why))
        luaL_error(L, "a JSON value of the database cannot be read: %s", why.text);
}

static void push_bytea(lua_State *L, struct slice value)
{
    buf_clear(&scratch);
    if (value.len < 2 || !decode_hex(slice_from(value, 2), &scratch))
        luaL_error(L, "a bytea value did not come in hex form");
    bind_push_slice(L, buf_slice(&scratch));
}

/* Days from 1970-01-01 in the Gregorian calendar, for any year. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

/* «+03», «-09:30», «+02:30:17» in seconds. */
static int64_t offset_seconds(const char *text)
{
    int hours = 0, minutes = 0, seconds = 0;
    sscanf(text + 1, "%d:%d:%d", &hours, &minutes, &seconds);
    int64_t total = hours * 3600LL + minutes * 60LL + seconds;
    return text[0] == '-' ? -total : total;
}

/* «2026-03-01 09:00:00.25+00», «0044-03-15 12:00:00+00 BC», «infinity». */
static void push_timestamptz(lua_State *L, struct slice value)
{
    long long year;
    int month, day, hour, minute, used = 0;
    double second;
    if (strstr(value.data, "infinity")) {
        lua_pushnumber(L, value.data[0] == '-' ? -HUGE_VAL : HUGE_VAL);
        return;
    }
    if (sscanf(value.data, "%lld-%d-%d %d:%d:%lf%n", &year, &month, &day, &hour, &minute, &second,
               &used) < 6)
        luaL_error(L, "a time did not come in ISO form: %s", value.data);
    if (strstr(value.data, " BC"))
        year = 1 - year;
    const char *offset = value.data + used;
    int64_t whole = days_of(year, month, day) * 86400 + hour * 3600LL + minute * 60LL;
    lua_pushnumber(L, (lua_Number)(whole - (*offset ? offset_seconds(offset) : 0)) + second);
}

/* `array` is the type of lists of it; 0 = none. Types that are not here come as text. */
struct type {
    uint32_t oid, array;
    void (*push)(lua_State *L, struct slice value);
};

static const struct type types[] = {
    {16, 1000, push_boolean},       /* bool */
    {17, 1001, push_bytea},         /* bytea */
    {18, 1002, push_text},          /* "char" */
    {19, 1003, push_text},          /* name */
    {20, 1016, push_int8},          /* int8 */
    {21, 1005, push_number},        /* int2 */
    {23, 1007, push_number},        /* int4 */
    {25, 1009, push_text},          /* text */
    {26, 1028, push_number},        /* oid */
    {114, 199, push_json},          /* json */
    {650, 651, push_text},          /* cidr */
    {700, 1021, push_number},       /* float4 */
    {701, 1022, push_number},       /* float8 */
    {869, 1041, push_text},         /* inet */
    {1042, 1014, push_text},        /* char(n) */
    {1043, 1015, push_text},        /* varchar */
    {1082, 1182, push_text},        /* date */
    {1083, 1183, push_text},        /* time */
    {1114, 1115, push_text},        /* timestamp */
    {1184, 1185, push_timestamptz}, /* timestamptz */
    {1186, 1187, push_text},        /* interval */
    {1700, 1231, push_text},        /* numeric */
    {2950, 2951, push_text},        /* uuid */
    {OID_JSONB, 3807, push_json},   /* jsonb */
};

struct reader {
    void (*push)(lua_State *L, struct slice value);
    bool is_array;
};

static struct reader reader_of(uint32_t oid)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].oid == oid)
            return (struct reader){types[i].push, false};
        if (types[i].array == oid)
            return (struct reader){types[i].push, true};
    }
    return (struct reader){push_text, false};
}

/* ---- arrays: {1,NULL,"a \"b\"",{…}} ---- */

static const char *push_quoted(lua_State *L, const char *at, const struct reader *reader)
{
    struct buf text = {0};
    for (; *at != '"'; at++) {
        if (*at == '\\')
            at++;
        buf_append_char(&text, *at);
    }
    buf_cstr(&text);
    lua_pushlstring(L, text.data, text.len); /* Lua owns the bytes before anything can raise */
    buf_free(&text);
    size_t len;
    const char *data = lua_tolstring(L, -1, &len);
    reader->push(L, slice_of(data, len));
    lua_remove(L, -2);
    return at + 1;
}

static const char *push_bare(lua_State *L, const char *at, const struct reader *reader)
{
    size_t len = strcspn(at, ",}");
    if (len == 4 && strncmp(at, "NULL", 4) == 0) {
        bind_push_null(L);
        return at + len;
    }
    lua_pushlstring(L, at, len);
    reader->push(L, slice_of(lua_tostring(L, -1), len));
    lua_remove(L, -2);
    return at + len;
}

/* `at` is behind the opening brace; gives what is behind the closing one. The server's own text: well-formed. */
static const char *push_list(lua_State *L, const char *at, const struct reader *reader)
{
    luaL_checkstack(L, 8, "array nesting");
    bind_json_push_list(L);
    for (int i = 1; *at && *at != '}'; i++) {
        if (*at == '{')
            at = push_list(L, at + 1, reader);
        else if (*at == '"')
            at = push_quoted(L, at + 1, reader);
        else
            at = push_bare(L, at, reader);
        lua_rawseti(L, -2, i);
        at += *at == ',';
    }
    return at + (*at == '}');
}

static void push_read(lua_State *L, const struct reader *reader, struct slice value)
{
    if (!reader->is_array) {
        reader->push(L, value);
        return;
    }
    const char *brace = strchr(value.data, '{'); /* «[0:2]={…}» tells bounds first */
    push_list(L, brace ? brace + 1 : "", reader);
}

void bind_pg_push_value(lua_State *L, uint32_t type, struct slice value)
{
    struct reader reader = reader_of(type);
    push_read(L, &reader, value);
}

/* ---- rows ---- */

/* Names and readers of all columns: names on the stack from `names` on. */
struct shape {
    unsigned columns;
    int names;
    struct reader *readers;
};

static struct shape push_shape(lua_State *L, const struct pgsql_result *result)
{
    struct shape shape = {.columns = pgsql_columns(result)};
    luaL_checkstack(L, (int)shape.columns + 10, "too many columns");
    shape.readers = lua_newuserdata(L, (shape.columns + 1) * sizeof *shape.readers);
    shape.names = lua_gettop(L) + 1;
    for (unsigned i = 0; i < shape.columns; i++) {
        shape.readers[i] = reader_of(pgsql_column_type(result, i));
        lua_pushstring(L, pgsql_column_name(result, i));
    }
    return shape;
}

static void push_row(lua_State *L, const struct shape *shape, const struct pgsql_result *result,
                     unsigned row)
{
    lua_createtable(L, 0, (int)shape->columns);
    for (unsigned i = 0; i < shape->columns; i++) {
        struct slice value = pgsql_value(result, row, i);
        if (!value.data)
            continue;
        lua_pushvalue(L, shape->names + (int)i);
        push_read(L, &shape->readers[i], value);
        lua_rawset(L, -3);
    }
}

void bind_pg_push_rows(lua_State *L, const struct pgsql_result *result)
{
    unsigned rows = pgsql_rows(result);
    lua_createtable(L, (int)rows, 1);
    int list = lua_gettop(L);
    lua_pushnumber(L, (lua_Number)pgsql_affected(result));
    lua_setfield(L, list, "affected");
    struct shape shape = push_shape(L, result);
    for (unsigned i = 0; i < rows; i++) {
        push_row(L, &shape, result, i);
        lua_rawseti(L, list, (int)i + 1);
    }
    lua_settop(L, list);
}

void bind_pg_push_first(lua_State *L, const struct pgsql_result *result)
{
    if (pgsql_rows(result) == 0) {
        lua_pushnil(L);
        return;
    }
    struct shape shape = push_shape(L, result);
    push_row(L, &shape, result, 0);
}

/* ---- to the database ---- */

/* What pg.json, pg.bytea and pg.array give: a userdata with the ready text. */
struct value {
    uint32_t type;
    size_t len;
    char text[];
};

static int push_typed(lua_State *L, uint32_t type, struct slice text)
{
    struct value *value = lua_newuserdata(L, sizeof *value + text.len);
    value->type = type;
    value->len = text.len;
    memcpy(value->text, text.data, text.len);
    luaL_getmetatable(L, value_meta);
    lua_setmetatable(L, -2);
    return 1;
}

/* Integers without exponent; everything else in the shortest form that reads back as the same double. */
static void append_number(struct buf *out, double number)
{
    char text[40];
    if (number == floor(number) && fabs(number) < 1e18) {
        snprintf(text, sizeof text, "%.0f", number);
    } else {
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, number);
            if (strtod(text, NULL) == number)
                break;
        }
    }
    buf_append_slice(out, slice_cstr(text));
}

static bool is_null(lua_State *L, int index)
{
    return lua_isnil(L, index) ||
           (lua_islightuserdata(L, index) && lua_touserdata(L, index) == NULL);
}

static struct value *to_value(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return NULL;
    luaL_getmetatable(L, value_meta);
    bool ours = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return ours ? lua_touserdata(L, index) : NULL;
}

/* Text of a string or a number on the stack, which it may replace by a string. */
static struct slice text_at(lua_State *L, int index, const char *what, int number)
{
    if (lua_type(L, index) == LUA_TNUMBER) {
        buf_clear(&scratch);
        append_number(&scratch, lua_tonumber(L, index));
        bind_push_slice(L, buf_slice(&scratch));
        lua_replace(L, index);
    }
    size_t len;
    const char *data = lua_tolstring(L, index, &len);
    if (memchr(data, '\0', len))
        luaL_error(L,
                   "%s %d has a NUL byte, which PostgreSQL text cannot hold (bytes go in pg.bytea)",
                   what, number);
    return slice_of(data, len);
}

static struct pgsql_param param_at(lua_State *L, int index, int number)
{
    int type = lua_type(L, index);
    const struct value *value = to_value(L, index);
    if (value)
        return (struct pgsql_param){slice_of(value->text, value->len), value->type};
    if (is_null(L, index))
        return (struct pgsql_param){{NULL, 0}, 0};
    if (type == LUA_TBOOLEAN)
        return (struct pgsql_param){lua_toboolean(L, index) ? SLICE("t") : SLICE("f"), 0};
    if (type != LUA_TSTRING && type != LUA_TNUMBER)
        luaL_error(L, "parameter $%d is a %s; tables go in pg.json or pg.array", number,
                   luaL_typename(L, index));
    return (struct pgsql_param){text_at(L, index, "parameter", number), 0};
}

struct pgsql_param *bind_pg_params(lua_State *L, int first, unsigned *count)
{
    int last = lua_gettop(L);
    *count = last >= first ? (unsigned)(last - first + 1) : 0;
    struct pgsql_param *params = lua_newuserdata(L, (*count + 1) * sizeof *params);
    for (int i = 0; i < (int)*count; i++)
        params[i] = param_at(L, first + i, i + 1);
    return params;
}

int l_pg_json(lua_State *L)
{
    luaL_checkany(L, 1);
    buf_clear(&scratch);
    bind_json_encode(L, 1, &scratch);
    return push_typed(L, OID_JSONB, buf_slice(&scratch));
}

int l_pg_bytea(lua_State *L)
{
    struct slice bytes = bind_check_slice(L, 1);
    buf_clear(&scratch);
    buf_append_slice(&scratch, SLICE("\\x"));
    encode_hex(bytes, &scratch);
    return push_typed(L, OID_BYTEA, buf_slice(&scratch));
}

static void append_quoted(struct buf *out, struct slice text)
{
    buf_append_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            buf_append_char(out, '\\');
        buf_append_char(out, text.data[i]);
    }
    buf_append_char(out, '"');
}

static void append_element(lua_State *L, struct buf *out, int number)
{
    int type = lua_type(L, -1);
    if (is_null(L, -1))
        buf_append_slice(out, SLICE("NULL"));
    else if (type == LUA_TBOOLEAN)
        buf_append_char(out, lua_toboolean(L, -1) ? 't' : 'f');
    else if (type == LUA_TNUMBER)
        append_number(out, lua_tonumber(L, -1));
    else if (type == LUA_TSTRING)
        append_quoted(out, text_at(L, lua_gettop(L), "array element", number));
    else
        luaL_error(L, "array element %d is a %s", number, luaL_typename(L, -1));
}

int l_pg_array(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    int len = (int)lua_objlen(L, 1);
    buf_clear(&scratch);
    buf_append_char(&scratch, '{');
    for (int i = 1; i <= len; i++) {
        if (i > 1)
            buf_append_char(&scratch, ',');
        lua_rawgeti(L, 1, i);
        append_element(L, &scratch, i);
        lua_pop(L, 1);
    }
    buf_append_char(&scratch, '}');
    return push_typed(L, 0, buf_slice(&scratch));
}

static int l_value_tostring(lua_State *L)
{
    const struct value *value = luaL_checkudata(L, 1, value_meta);
    lua_pushlstring(L, value->text, value->len);
    return 1;
}

void bind_pg_types_open(lua_State *L)
{
    luaL_newmetatable(L, value_meta);
    lua_pushcfunction(L, l_value_tostring);
    lua_setfield(L, -2, "__tostring");
    bind_hide_metatable(L);
    lua_pop(L, 1);
}
