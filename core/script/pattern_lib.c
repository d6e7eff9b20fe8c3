/* pattern_lib.c: string.find, match, gmatch and gsub on pattern.c. See pattern.h. */
#include "script/pattern.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

/* Not the captures: they are big, and written before they are read. */
static void begin(struct pattern_match *m, lua_State *L, const char *subject, size_t len)
{
    m->L = L;
    m->begin = subject;
    m->end = subject + len;
    m->caller = 1;
    m->work = 0;
}

/* ---- find and match ---- */

/* As LuaJIT cuts a number: what does not fit an int is the smallest one. */
static int to_int(double number)
{
    return number > -2147483649.0 && number < 2147483648.0 ? (int)number : INT_MIN;
}

/* Where the third argument says to begin: from 0 to `len`. */
static size_t start_of(lua_State *L, size_t len)
{
    int given = lua_isnoneornil(L, 3) ? 1 : to_int(luaL_checknumber(L, 3));
    long long start = given < 0 ? given + (long long)len : given - 1LL;
    if (start < 0)
        return 0;
    return (unsigned long long)start < len ? (size_t)start : len;
}

static int find_plain(lua_State *L, struct pattern_match *m, size_t start, size_t pattern_len)
{
    const char *found = memmem(m->begin + start, (size_t)(m->end - m->begin) - start,
                               lua_tostring(L, 2), pattern_len);
    if (!found) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, found - m->begin + 1);
    lua_pushinteger(L, found - m->begin + (ptrdiff_t)pattern_len);
    return 2;
}

/* Push what a match from `start` to `end` gives. */
static int push_match(struct pattern_match *m, const char *start, const char *end, bool is_find)
{
    if (!is_find)
        return pattern_push_captures(m, start, end);
    lua_pushinteger(m->L, start - m->begin + 1);
    lua_pushinteger(m->L, end - m->begin);
    return pattern_push_captures(m, NULL, NULL) + 2;
}

static int search(lua_State *L, struct pattern_match *m, size_t start, bool is_find)
{
    const char *pattern = lua_tostring(L, 2), *at = m->begin + start;
    bool anchored = *pattern == '^';
    pattern += anchored;
    do {
        const char *end = pattern_try(m, at, pattern);
        if (end)
            return push_match(m, at, end, is_find);
    } while (at++ < m->end && !anchored);
    lua_pushnil(L);
    return 1;
}

static bool has_specials(const char *pattern, size_t len)
{
    for (const char *c = pattern; c < pattern + len; c++)
        if (*c != '\0' && strchr("^$*+?.([%-", *c))
            return true;
    return false;
}

int pattern_find(lua_State *L)
{
    size_t len, pattern_len;
    const char *subject = luaL_checklstring(L, 1, &len);
    const char *pattern = luaL_checklstring(L, 2, &pattern_len);
    size_t start = start_of(L, len);
    struct pattern_match m;

    begin(&m, L, subject, len);
    if (lua_toboolean(L, 4) || !has_specials(pattern, pattern_len))
        return find_plain(L, &m, start, pattern_len);
    return search(L, &m, start, true);
}

int pattern_match(lua_State *L)
{
    size_t len;
    const char *subject = luaL_checklstring(L, 1, &len);
    luaL_checkstring(L, 2);
    size_t start = start_of(L, len);
    struct pattern_match m;

    begin(&m, L, subject, len);
    return search(L, &m, start, false);
}

/* ---- gmatch ---- */

int pattern_next_match(lua_State *L)
{
    size_t len;
    const char *subject = luaL_checklstring(L, 1, &len);
    const char *pattern = luaL_checkstring(L, 2);
    struct pattern_match m;

    begin(&m, L, subject, len);
    m.caller = 2; /* behind the iterator of long_call.lua */
    for (const char *at = subject + lua_tointeger(L, 3); at <= m.end; at++) {
        const char *end = pattern_try(&m, at, pattern);
        if (!end)
            continue;
        lua_pushinteger(L, end - subject + (end == at)); /* an empty match must not repeat */
        return pattern_push_captures(&m, at, end) + 1;
    }
    return 0;
}

/* ---- gsub ---- */

/* The replacement is a text, in which %0 to %9 stand for captures. */
static void add_text(struct pattern_match *m, luaL_Buffer *out, const char *start, const char *end)
{
    size_t len;
    const char *text = lua_tolstring(m->L, 3, &len);
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            luaL_addchar(out, text[i]);
            continue;
        }
        char what = text[++i]; /* at the end of the text: its NUL */
        if (what < '0' || what > '9') {
            luaL_addchar(out, what);
        } else if (what == '0') {
            luaL_addlstring(out, start, (size_t)(end - start));
        } else {
            pattern_push_capture(m, what - '1', start, end);
            luaL_addvalue(out);
        }
    }
}

/* The replacement is a table or a function: nil and false keep what was there. */
static void add_asked(struct pattern_match *m, luaL_Buffer *out, const char *start, const char *end)
{
    lua_State *L = m->L;
    if (lua_istable(L, 3)) {
        pattern_push_capture(m, 0, start, end);
        lua_gettable(L, 3);
    } else {
        lua_pushvalue(L, 3);
        lua_call(L, pattern_push_captures(m, start, end), 1);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, start, (size_t)(end - start));
    } else if (!lua_isstring(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
    luaL_addvalue(out);
}

static void add_replacement(struct pattern_match *m, luaL_Buffer *out, const char *start,
                            const char *end)
{
    if (lua_isstring(m->L, 3))
        add_text(m, out, start, end);
    else
        add_asked(m, out, start, end);
}

int pattern_gsub(lua_State *L)
{
    size_t len;
    const char *at = luaL_checklstring(L, 1, &len);
    const char *pattern = luaL_checkstring(L, 2);
    int type = lua_type(L, 3), most = luaL_optint(L, 4, (int)len + 1), count = 0;
    bool anchored = *pattern == '^';
    struct pattern_match m;
    luaL_Buffer out;

    begin(&m, L, at, len);
    pattern += anchored;
    luaL_argcheck(L,
                  type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
                      type == LUA_TTABLE,
                  3, "string/function/table expected");
    luaL_buffinit(L, &out);
    while (count < most) {
        const char *end = pattern_try(&m, at, pattern);
        if (end) {
            count++;
            add_replacement(&m, &out, at, end);
        }
        if (end && end > at)
            at = end;
        else if (at < m.end)
            luaL_addchar(&out, *at++);
        else
            break;
        if (anchored)
            break;
    }
    luaL_addlstring(&out, at, (size_t)(m.end - at));
    luaL_pushresult(&out);
    lua_pushinteger(L, count);
    return 2;
}
