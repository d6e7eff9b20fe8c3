/* bind.h: what all bindings share. A binding translates between one driver and one Lua module; it
 * checks arguments (wrong types raise: a bug of the script), calls, and pushes results (a failing
 * world returns nil, failure). Policy and words live in Lua. */
#pragma once

#include "base/buf.h"
#include "base/result.h"
#include "base/slice.h"

#include <lua.h>
#include <lauxlib.h>
#include <stdbool.h>

/* Push `nil, {code=, text=, service=}` and return 2. tostring(failure) reads «service: code: text».
 * `text` may be NULL. */
int bind_failure(lua_State *L, enum result rc, const char *service);
int bind_failure_text(lua_State *L, const char *code, const char *service, const char *text);
/* From a driver's failure: its own code wins over the result's. */
int bind_failure_of(lua_State *L, const struct failure *why, const char *service);

static inline struct slice bind_check_slice(lua_State *L, int index)
{
    size_t len;
    const char *data = luaL_checklstring(L, index, &len);
    return slice_of(data, len);
}

static inline void bind_push_slice(lua_State *L, struct slice s)
{
    lua_pushlstring(L, s.data ? s.data : "", s.len);
}

/* Push a field of the options table at `index` (positive), or return false when there is none. The table keeps it alive, also
 * what its metatable has made. */
bool bind_push_option(lua_State *L, int index, const char *field);
/* A field of the options table at `index` (which may be absent): the default when nil, raises on a
 * wrong type, naming the option. Numbers must be ≥ 0. */
double bind_opt_number(lua_State *L, int index, const char *field, double fallback);
bool bind_opt_bool(lua_State *L, int index, const char *field, bool fallback);
/* Gives NULL data when absent. The string stays on the table, which keeps it alive. */
struct slice bind_opt_slice(lua_State *L, int index, const char *field);

/* An emptied buffer to put a string result together in, and its content pushed. There is one: use it up before
 * calling anything that may use it too. */
struct buf *bind_scratch(void);
int bind_push_scratch(lua_State *L); /* returns 1 */

/* A table with the C functions of `functions`, each with `upvalue` (light userdata) as upvalue 1.
 * Pushes it. */
void bind_module(lua_State *L, const luaL_Reg *functions, void *upvalue);

/* A metatable called `name` in the registry, whose objects have `methods` and, when not NULL, the finalizer `gc`. */
void bind_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc);

/* Scripts neither see nor change the metatable on top: finalizers are for the collector, and what one script puts in all
 * others would meet. */
void bind_hide_metatable(lua_State *L);

/* Push a host value onto Lua as null: the light userdata that host.json.null and host.pg.null are.
 */
void bind_push_null(lua_State *L);

/* JSON for other bindings (host.json, pg's json columns). Encoding raises on what JSON cannot say;
 * decoding pushes the value and returns true, or pushes nothing and fills `why`. */
void bind_json_encode(lua_State *L, int index, struct buf *out);
/* Append the value on top without raising; false, and the reason in an emptied `out`, when JSON cannot say it. */
bool bind_json_encode_top(lua_State *L, struct buf *out);
bool bind_json_decode(lua_State *L, struct slice text, struct failure *why);
/* Push an empty table that is written as a list, `[]`, also when it stays empty. */
void bind_json_push_list(lua_State *L);

/* What a worker gives to the VMs it builds. NULL members simply leave their module out. */
struct redis;
struct pgsql;
struct fetch;
struct shm;
struct metrics;
struct conf;
struct loop;
struct server_state;
struct generation;
struct host {
    struct loop *loop;
    struct redis *redis;
    struct pgsql *pgsql;
    struct pgsql *pgsql_direct; /* LISTEN, migrations, locks */
    struct fetch *fetch;
    struct offload *offload;   /* for host.crypto.scrypt */
    unsigned query_timeout_ms; /* a statement of host.pg, at most */
    struct shm *shm;
    struct metrics *metrics;
    const struct conf *conf;
    const char *role;           /* "serve", "check", "test", "run", "console" */
    unsigned worker;            /* 1, 2, … in `serve`; else 0 */
    struct server_state *state; /* base/state.h; NULL outside of `serve` */
    /* Ask the master one control command (JSON: {"command":"reload"}, "status", …); `answered` runs
     * exactly once, never before this returned, with JSON lines. NULL outside of `serve`. */
    enum result (*ask_master)(void *master, struct slice request,
                              void (*answered)(void *owner, enum result rc, struct slice lines),
                              void *owner);
    void *master;
    /* A mistake of this generation that no answer shows. NULL outside of `serve`. */
    void (*complain)(void *master, const struct generation *generation, struct slice text);
};

/* Build the table `host` and leave it on the stack: one function per file, in bind.c's table. */
void bind_open_host(lua_State *L, struct host *host);

/* Each pushes its module table. */
void bind_redis_open(lua_State *L, struct host *host);
void bind_pg_open(lua_State *L, struct host *host);
void bind_http_open(lua_State *L, struct host *host);
void bind_crypto_open(lua_State *L, struct host *host);
void bind_json_open(lua_State *L, struct host *host);
void bind_time_open(lua_State *L, struct host *host);
void bind_timer_open(lua_State *L, struct host *host);
void bind_task_open(lua_State *L, struct host *host);
#define BIND_SEMAPHORE_META "fura.semaphore"               /* bind_task.lua adds to it */
void bind_semaphore_open(lua_State *L, struct host *host); /* adds to the module on top */
void bind_shared_open(lua_State *L, struct host *host);
void bind_log_open(lua_State *L, struct host *host);
void bind_metrics_open(lua_State *L, struct host *host);
void bind_config_open(lua_State *L, struct host *host);
void bind_script_open(lua_State *L, struct host *host);
