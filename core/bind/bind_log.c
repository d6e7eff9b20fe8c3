/* bind_log.c: host.log. A line written inside a task carries its request id and label by itself. Logging never raises
 * for what a field holds: it is called where things already go wrong. */
#include "bind/bind.h"
#include "base/log.h"
#include "script/task.h"

#include <math.h>
#include <stdlib.h>

enum { FIELDS_MAX = 32, OWN_FIELDS = 2 }; /* further fields are left out */

struct fields {
    struct log_field list[FIELDS_MAX + OWN_FIELDS + 1]; /* the last has no name */
    unsigned count;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct log_field *)a)->name, ((const struct log_field *)b)->name);
}

/* The line's own members cannot be given twice. */
static const char *free_name(lua_State *L, const char *name)
{
    static const char *const taken[] = {"time",    "level",      "message",
                                        "process", "request_id", "task"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(taken[i], name) == 0) {
            lua_pushfstring(L, "%s_", name);
            return lua_tostring(L, -1);
        }
    return name;
}

static struct log_field number_field(const char *name, double number)
{
    if (fabs(number) < 9007199254740992.0 && floor(number) >= number)
        return LOG_INT(name, number);
    return LOG_NUM(name, number);
}

/* Push what __tostring of the value at the top says, or return false. */
static bool push_described(lua_State *L)
{
    if (!luaL_getmetafield(L, -1, "__tostring"))
        return false;
    lua_pushvalue(L, -2);
    return lua_pcall(L, 1, 1, 0) == 0 && lua_type(L, -1) == LUA_TSTRING;
}

/* The value is at the top. A table with __tostring (a failure) is shown by it, other things by their type. */
static struct log_field field_of(lua_State *L, const char *name)
{
    size_t len;
    int type = lua_type(L, -1);
    if (type == LUA_TNUMBER)
        return number_field(name, lua_tonumber(L, -1));
    if (type == LUA_TBOOLEAN)
        return LOG_RAW(name, lua_toboolean(L, -1) ? SLICE("true") : SLICE("false"));
    if (type != LUA_TSTRING && !push_described(L))
        return LOG_STR(name, lua_typename(L, type));
    const char *text = lua_tolstring(L, -1, &len);
    return LOG_SLICE(name, slice_of(text, len));
}

/* Every text that a field borrows stays on the stack until the line is written. */
static void take_fields(lua_State *L, int index, struct fields *fields)
{
    if (!lua_istable(L, index))
        return;
    luaL_checkstack(L, 8 * FIELDS_MAX, "log fields");
    lua_pushnil(L);
    while (fields->count < FIELDS_MAX && lua_next(L, index)) {
        int key = lua_gettop(L) - 1;
        if (lua_type(L, key) == LUA_TSTRING) {
            const char *name = free_name(L, lua_tostring(L, key));
            lua_pushvalue(L, key + 1);
            fields->list[fields->count++] = field_of(L, name);
        }
        lua_pushvalue(L, key); /* lua_next() wants the key at the top */
    }
    qsort(fields->list, fields->count, sizeof *fields->list, by_name);
}

static void take_task(lua_State *L, struct fields *fields)
{
    const struct task *task = task_of(L);
    if (!task)
        return;
    if (*task_log_id(task))
        fields->list[fields->count++] = LOG_STR("request_id", task_log_id(task));
    if (task_label(task))
        fields->list[fields->count++] = LOG_STR("task", task_label(task));
}

static int write_line(lua_State *L, enum log_level level)
{
    const char *message = luaL_checkstring(L, 1);
    struct fields fields = {.count = 0};
    lua_settop(L, 2);
    take_fields(L, 2, &fields);
    take_task(L, &fields);
    fields.list[fields.count] = (struct log_field){.name = NULL};
    log_emit(level, message, fields.list);
    return 0;
}

static int l_debug(lua_State *L)
{
    return write_line(L, LOG_DEBUG);
}

static int l_info(lua_State *L)
{
    return write_line(L, LOG_INFO);
}

static int l_warn(lua_State *L)
{
    return write_line(L, LOG_WARN);
}

static int l_error(lua_State *L)
{
    return write_line(L, LOG_ERROR);
}

static const luaL_Reg functions[] = {
    {"debug", l_debug}, {"info", l_info}, {"warn", l_warn}, {"error", l_error}, {NULL, NULL},
};

void bind_log_open(lua_State *L, struct host *host)
{
    bind_module(L, functions, host);
}
