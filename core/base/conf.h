/* conf.h: effective settings: a Lua file evaluated in a bare state, checked against a schema, overlaid by the
 * environment. All problems are reported at once as «file:line: key: message (expected …, got …)».
 *
 * Core keys come with conf_core.c, the application adds its own in lua/settings.lua (same attributes, explained
 * there): ["cache.list_s"] = { type = "integer", default = 300, min = 1, env = "…", unit, secret, restart, … }. */
#pragma once

#include "base/buf.h"
#include "base/result.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct conf;

struct conf_source {
    const char *root;      /* application folder, absolute: conf/, lua/, plugins/, migrations/ */
    const char *conf_path; /* -c, or NULL for conf/default.lua under root */
};

/* Gives a conf in which every key has a value or is unset. On R_INVALID `problems` holds lines. */
enum result conf_load(const struct conf_source *source, struct conf **out, struct buf *problems);
/* For who looks at everything: `out` also comes with problems, keys they are of at their defaults. NULL only when
 * lua/settings.lua is wrong, which says what keys there are. */
enum result conf_load_what_is_sound(const struct conf_source *source, struct conf **out,
                                    struct buf *problems);
void conf_free(struct conf *conf);

/* Typed look-up by dotted key. A key that the schema lacks is a bug and aborts. Strings are borrowed and NULL
 * when unset. */
const char *conf_string(const struct conf *conf, const char *key);
int64_t conf_integer(const struct conf *conf, const char *key);
bool conf_bool(const struct conf *conf, const char *key);
bool conf_is_production(const struct conf *conf);

bool conf_has(const struct conf *conf, const char *key);
/* The known key that `key` was most likely meant to be; NULL when none is near. */
const char *conf_nearest(const struct conf *conf, const char *key);
/* Of `names`, the one that `wanted` was most likely meant to be; NULL when none is near. */
const char *conf_nearest_of(const char *const *names, unsigned count, const char *wanted);
/* Where a key's value came from: «conf/default.lua:12», «environment NAME», «default». Keys inside a table of free
 * form (plugins.cors.origins) have one of their own. NULL for an unknown key. */
const char *conf_origin(const struct conf *conf, const char *key);
/* What is legal but unwise, a line each, «origin: key: …»: `fura check` prints it, `serve` logs it. Only right after
 * conf_load(): a packed conf carries none. */
struct slice conf_warnings(const struct conf *conf);

/* Push the nested table a script reads as host.config (secrets included). */
void conf_push(lua_State *L, const struct conf *conf);
/* For the bundle: everything conf_push needs, as bytes. */
void conf_pack(const struct conf *conf, struct buf *out);
enum result conf_unpack(struct slice packed, struct conf **out);

/* One visit a key, sorted: for `fura config`. `value` is JSON, masked when secret. */
void conf_each(const struct conf *conf,
               void (*visit)(void *owner, const char *key, struct slice value, const char *origin),
               void *owner);
/* Keys marked (restart) whose values differ: a line each into `out`, «file:line: key …: needs a restart».
 * Returns how many. */
unsigned conf_restart_changes(const struct conf *running, const struct conf *next, struct buf *out);
