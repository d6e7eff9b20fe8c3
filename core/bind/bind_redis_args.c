/* bind_redis_args.c: see bind_redis_args.h. */
#include "bind/bind_redis_args.h"
#include "bind/bind.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXACT_DIGITS = 15, ALL_DIGITS = 17, ARGS_MAX = 1000000 };

static const double exact_integer = 9007199254740992.0; /* 2^53 */

static void begin(lua_State *L, struct bind_redis_args *args, size_t count)
{
    args->argc = 0;
    args->argv = args->few_argv;
    args->numbers = args->few_numbers;
    if (count <= BIND_REDIS_ARGS_FEW)
        return;
    if (count > ARGS_MAX)
        luaL_error(L, "too many arguments for one Redis command");
    /* Stays on the stack, and so alive. */
    char *memory = lua_newuserdata(L, count * (sizeof *args->argv + sizeof *args->numbers));
    args->argv = (struct slice *)memory;
    args->numbers = (void *)(memory + count * sizeof *args->argv);
}

/* The shortest text that reads back as the same number; integers without exponent. */
static size_t format_number(char *text, double value)
{
    if (value == floor(value) && fabs(value) <= exact_integer)
        return (size_t)snprintf(text, BIND_REDIS_NUMBER_MAX, "%lld", (long long)value);
    for (int digits = EXACT_DIGITS;; digits++) {
        int len = snprintf(text, BIND_REDIS_NUMBER_MAX, "%.*g", digits, value);
        if (digits == ALL_DIGITS || strtod(text, NULL) == value)
            return (size_t)len;
    }
}

static void add_slice(struct bind_redis_args *args, struct slice s)
{
    args->argv[args->argc++] = s;
}

/* False on a value Redis has no text for. */
static bool add_value(lua_State *L, struct bind_redis_args *args, int index)
{
    struct slice s;
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        s.data = lua_tolstring(L, index, &s.len);
        add_slice(args, s);
        return true;
    case LUA_TNUMBER:
        if (!isfinite(lua_tonumber(L, index)))
            return false;
        s.data = args->numbers[args->argc];
        s.len = format_number(args->numbers[args->argc], lua_tonumber(L, index));
        add_slice(args, s);
        return true;
    default:
        return false;
    }
}

void bind_redis_args_take(lua_State *L, struct bind_redis_args *args, int first)
{
    int last = lua_gettop(L);
    luaL_checktype(L, first, LUA_TSTRING);
    begin(L, args, (size_t)last - (size_t)first + 1);
    for (int i = first; i <= last; i++)
        if (!add_value(L, args, i))
            luaL_argerror(L, i, "a string or a finite number expected");
}

static void add_list(lua_State *L, struct bind_redis_args *args, int index, size_t count)
{
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, index, (int)i);
        if (!add_value(L, args, -1))
            luaL_error(L, "element %d of argument %d: a string or a finite number expected", (int)i,
                       index - 1);
        lua_pop(L, 1); /* the table keeps it alive */
    }
}

void bind_redis_args_take_script(lua_State *L, struct bind_redis_args *args)
{
    struct slice verb = bind_check_slice(L, 1), script = bind_check_slice(L, 2);
    if (!lua_istable(L, 3) || !lua_istable(L, 4))
        luaL_error(L, "host.redis.eval takes a script, a list of keys and a list of arguments");
    size_t key_count = lua_objlen(L, 3), arg_count = lua_objlen(L, 4);
    begin(L, args, 3 + key_count + arg_count);
    add_slice(args, verb);
    add_slice(args, script);
    char *number = args->numbers[args->argc];
    add_slice(args, slice_of(number, format_number(number, (double)key_count)));
    add_list(L, args, 3, key_count);
    add_list(L, args, 4, arg_count);
}

/* ---- what may not be sent ---- */

enum rule {
    ALONE, /* keeps state in the connection, or may hold it up: only with host.redis.dedicated */
    NEVER, /* would change how replies answer commands */
};

static const struct {
    const char *name;
    enum rule rule;
} rules[] = {
    {"AUTH", ALONE},         {"BLMOVE", ALONE},     {"BLMPOP", ALONE},       {"BLPOP", ALONE},
    {"BRPOP", ALONE},        {"BRPOPLPUSH", ALONE}, {"BZMPOP", ALONE},       {"BZPOPMAX", ALONE},
    {"BZPOPMIN", ALONE},     {"DISCARD", ALONE},    {"EXEC", ALONE},         {"HELLO", NEVER},
    {"MONITOR", NEVER},      {"MULTI", ALONE},      {"PSUBSCRIBE", NEVER},   {"PSYNC", NEVER},
    {"PUNSUBSCRIBE", NEVER}, {"QUIT", NEVER},       {"RESET", NEVER},        {"SELECT", ALONE},
    {"SSUBSCRIBE", NEVER},   {"SUBSCRIBE", NEVER},  {"SUNSUBSCRIBE", NEVER}, {"SYNC", NEVER},
    {"UNSUBSCRIBE", NEVER},  {"UNWATCH", ALONE},    {"WAIT", ALONE},         {"WAITAOF", ALONE},
    {"WATCH", ALONE},        {"XREAD", ALONE},      {"XREADGROUP", ALONE},
};

static int compare_names(const void *name, const void *entry)
{
    return strcasecmp(name, *(const char *const *)entry);
}

void bind_redis_args_allow(lua_State *L, const struct bind_redis_args *args, bool dedicated)
{
    const char *name = args->argv[0].data; /* a Lua string: NUL-terminated */
    const void *found =
        bsearch(name, rules, sizeof rules / sizeof *rules, sizeof *rules, compare_names);
    bool mutes = args->argc > 1 && slice_ieq(args->argv[0], SLICE("CLIENT")) &&
                 slice_ieq(args->argv[1], SLICE("REPLY"));
    if (!found && !mutes)
        return;
    size_t index = found ? (size_t)((const char *)found - (const char *)rules) / sizeof *rules : 0;
    if (mutes || rules[index].rule == NEVER)
        luaL_error(L,
                   "%s cannot be sent as a command: it would mix up the replies of others "
                   "(for messages there is host.redis.subscribe)",
                   name);
    else if (!dedicated)
        luaL_error(L, "%s needs a connection of its own: use host.redis.dedicated", name);
}
