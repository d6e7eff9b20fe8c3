/* conf_load.c: the way from files and variables to settings in force. Nothing stops at the first problem. */
#include "base/conf_parts.h"
#include "base/file.h"
#include "base/mem.h"

#include <lauxlib.h>
#include <libgen.h>
#include <stdlib.h>

enum { FILE_MAX_BYTES = 1 << 20 };

struct loading {
    const char *root, *path; /* both absolute */
    struct conf_schema schema;
    struct conf_env *env;
    struct conf_lines *lines;
    struct conf_problems *problems;
    struct conf *conf;
    lua_State *L; /* the table that the conf file returned is at the top */
};

/* «file:line» of a key, as far as the file tells. */
static char *origin_of(const struct loading *loading, const char *path)
{
    const struct conf_line *line = conf_lines_find(loading->lines, path);
    struct buf text = {0};
    if (line)
        buf_printf(&text, "%s:%d", line->file, line->line);
    else
        buf_printf(&text, "%s", conf_shown_path(loading->root, loading->path));
    buf_cstr(&text);
    return text.data;
}

static void complain(struct loading *loading, const char *origin, const char *name,
                     const char *text)
{
    conf_problem_add_key(loading->problems, origin, name, text);
}

static struct conf_entry *entry_of(struct loading *loading, const struct conf_key *key)
{
    return &loading->conf->entries[key - loading->schema.keys];
}

static void complain_of_value(struct loading *loading, const struct conf_key *key,
                              const char *origin, const char *text)
{
    complain(loading, origin, key->name, text);
    entry_of(loading, key)->broken = true;
}

static void replace(struct conf_entry *entry, struct conf_value value, const char *origin)
{
    conf_value_clear(&entry->value);
    free(entry->origin);
    entry->value = value;
    entry->origin = mem_strdup(origin);
}

/* ---- defaults ---- */

static void fill_defaults(struct loading *loading)
{
    struct conf *conf = loading->conf;
    conf->count = loading->schema.count;
    conf->entries = mem_zalloc(conf->count * sizeof *conf->entries);
    for (unsigned i = 0; i < conf->count; i++) {
        const struct conf_key *key = &loading->schema.keys[i];
        struct buf why = {0};
        conf->entries[i] = (struct conf_entry){
            .name = mem_strdup(key->name),
            .origin = mem_strdup("default"),
            .flags = (key->secret ? CONF_SECRET : 0u) | (key->credentials ? CONF_CREDENTIALS : 0u) |
                     (key->restart ? CONF_RESTART : 0u),
        };
        if (key->initial &&
            !conf_parse_text(key, slice_cstr(key->initial), &conf->entries[i].value, &why))
            complain(loading, "default", key->name, buf_cstr(&why));
        buf_free(&why);
    }
}

/* ---- the conf file ---- */

/* Remember where the parts of a free table stand, so that who checks them later can name the line. */
static void note_places(struct loading *loading, const char *name)
{
    struct conf *conf = loading->conf;
    size_t len = strlen(name);
    for (unsigned i = 0; i < conf_lines_count(loading->lines); i++) {
        const char *path = conf_lines_at(loading->lines, i)->path;
        if (strncmp(path, name, len) != 0 || path[len] != '.')
            continue;
        conf->places = mem_realloc(conf->places, (conf->place_count + 1) * sizeof *conf->places);
        conf->places[conf->place_count++] =
            (struct conf_place){mem_strdup(path), origin_of(loading, path)};
    }
}

/* The value of a known key is at the top of the stack. */
static void take_value(struct loading *loading, const struct conf_key *key)
{
    struct buf why = {0};
    struct conf_value value = {0};
    char *origin = origin_of(loading, key->name);
    if (key->environment_only) {
        buf_printf(&why, "may only come from the environment (expected the variable %s or %s_FILE)",
                   key->env, key->env);
        complain_of_value(loading, key, origin, buf_cstr(&why));
    } else if (conf_parse_lua(key, loading->L, lua_gettop(loading->L), &value, &why)) {
        replace(entry_of(loading, key), value, origin);
    } else {
        complain_of_value(loading, key, origin, buf_cstr(&why));
    }
    if (key->type == CONF_TYPE_TABLE)
        note_places(loading, key->name);
    free(origin);
    buf_free(&why);
}

static void complain_unknown(struct loading *loading, const char *path)
{
    const char *nearest = conf_schema_nearest(&loading->schema, path);
    char *origin = origin_of(loading, path);
    struct buf text = {0};
    if (nearest)
        buf_printf(&text, "is not a known key (expected %s?, got %s)", nearest, path);
    else
        buf_printf(&text, "is not a known key (expected one of conf/default.lua, got %s)", path);
    complain(loading, origin, path, buf_cstr(&text));
    buf_free(&text);
    free(origin);
}

static void take_table(struct loading *loading, const char *prefix);

static void take_field(struct loading *loading, const char *path)
{
    const struct conf_key *key = conf_schema_find(&loading->schema, path);
    bool group = !key && conf_schema_has_group(&loading->schema, path);
    if (key) {
        take_value(loading, key);
    } else if (group && lua_istable(loading->L, -1)) {
        take_table(loading, path);
    } else if (group) {
        char *origin = origin_of(loading, path);
        complain(loading, origin, path, "is a group of keys (expected a table)");
        free(origin);
    } else {
        complain_unknown(loading, path);
    }
}

/* The table is at the top of the stack. Its nesting ends where the schema's does. */
static void take_table(struct loading *loading, const char *prefix)
{
    lua_State *L = loading->L;
    luaL_checkstack(L, 4, "settings");
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        struct buf path = {0};
        const char *dot = *prefix ? "." : "";
        if (lua_type(L, -2) == LUA_TSTRING)
            buf_printf(&path, "%s%s%s", prefix, dot, lua_tostring(L, -2));
        else
            buf_printf(&path, "%s%s%d", prefix, dot, (int)lua_tointeger(L, -2));
        take_field(loading, buf_cstr(&path));
        buf_free(&path);
    }
}

static void read_lines(struct loading *loading)
{
    struct buf source = {0};
    if (file_read(loading->path, FILE_MAX_BYTES, &source) == R_OK) {
        struct conf_chunk chunk = {buf_slice(&source), loading->path, loading->root};
        conf_lines_add(loading->lines, &chunk, "", loading->problems);
    }
    buf_free(&source);
}

/* ---- the environment ---- */

static void take_variable(struct loading *loading, const struct conf_key *key)
{
    struct buf text = {0}, origin = {0}, why = {0};
    struct conf_value value = {0};
    enum result rc = conf_env_get(loading->env, key->env, &text, &origin, &why);
    if (rc == R_OK && conf_parse_text(key, buf_slice(&text), &value, &why))
        replace(entry_of(loading, key), value, buf_cstr(&origin));
    else if (rc != R_NOT_FOUND)
        complain_of_value(loading, key, buf_cstr(&origin), buf_cstr(&why));
    buf_free(&text);
    buf_free(&origin);
    buf_free(&why);
}

static bool variable_says_production(const struct conf_env *env)
{
    struct buf text = {0}, origin = {0}, why = {0};
    bool is = conf_env_get(env, "FURA_ENV", &text, &origin, &why) == R_OK &&
              slice_eq(buf_slice(&text), SLICE("production"));
    buf_free(&text);
    buf_free(&origin);
    buf_free(&why);
    return is;
}

static void read_dotenv(struct loading *loading)
{
    struct buf path = {0};
    if (variable_says_production(loading->env))
        return;
    conf_resolve_path(loading->path, ".env", &path);
    conf_env_read_dotenv(loading->env, buf_cstr(&path), conf_shown_path(loading->root, path.data),
                         loading->problems);
    if (variable_says_production(loading->env)) {
        conf_problem_add(loading->problems, conf_shown_path(loading->root, path.data), 0,
                         "FURA_ENV: may not be production here (expected it in the environment: "
                         ".env is read in development only)");
        conf_env_drop_dotenv(loading->env);
    }
    buf_free(&path);
}

/* ---- all of it ---- */

static void load_once(struct loading *loading)
{
    loading->conf = mem_new(struct conf);
    loading->lines = conf_lines_new();
    loading->L = conf_lua_new();
    fill_defaults(loading);
    read_lines(loading);
    if (conf_lua_evaluate(loading->L, loading->root, loading->path, loading->env,
                          loading->problems))
        take_table(loading, "");
    for (unsigned i = 0; i < loading->schema.count; i++)
        if (loading->schema.keys[i].env)
            take_variable(loading, &loading->schema.keys[i]);
    conf_rules_complete(loading->conf, loading->root);
    conf_rules_check(loading->conf, &loading->schema, loading->problems);
}

static void unload(struct loading *loading)
{
    conf_free(loading->conf);
    conf_lines_free(loading->lines);
    conf_lua_free(loading->L);
    loading->conf = NULL;
}

static enum result load(struct loading *loading)
{
    struct conf_problems before = {
        0}; /* of the schema and .env: they stay whatever the conf file says */
    struct buf ignored = {0};
    loading->env = conf_env_new();
    read_dotenv(loading);
    before = *loading->problems;
    *loading->problems = (struct conf_problems){0};
    load_once(loading);
    if (conf_is_production(loading->conf) && conf_env_has_dotenv(loading->env)) {
        /* The file itself says production: once more, without what development had added. */
        unload(loading);
        conf_problems_print(loading->problems, &ignored);
        buf_free(&ignored);
        conf_env_drop_dotenv(loading->env);
        load_once(loading);
    }
    conf_problems_merge(loading->problems, &before);
    conf_env_free(loading->env);
    return loading->problems->count > 0 ? R_INVALID : R_OK;
}

static char *conf_path_of(const struct conf_source *source)
{
    struct buf path = {0};
    char *real;
    if (source->conf_path)
        buf_append_slice(&path, slice_cstr(source->conf_path));
    else
        buf_printf(&path, "%s/conf/default.lua", source->root);
    real = realpath(buf_cstr(&path), NULL);
    if (!real)
        return path.data;
    buf_free(&path);
    return real;
}

enum result conf_load_what_is_sound(const struct conf_source *source, struct conf **out,
                                    struct buf *problems)
{
    struct conf_problems list = {0};
    char *root = realpath(source->root, NULL), *path = conf_path_of(source);
    struct loading loading = {.root = root ? root : source->root, .path = path, .problems = &list};
    enum result rc = conf_schema_load(loading.root, &loading.schema, &list);
    *out = NULL;
    if (rc == R_OK) {
        rc = load(&loading);
        *out = loading.conf;
        loading.conf = NULL;
        unload(&loading);
    }
    conf_problems_print(&list, problems);
    conf_schema_free(&loading.schema);
    free(root);
    free(path);
    return rc;
}

enum result conf_load(const struct conf_source *source, struct conf **out, struct buf *problems)
{
    struct conf *conf;
    enum result rc = conf_load_what_is_sound(source, &conf, problems);
    if (rc == R_OK)
        *out = conf;
    else
        conf_free(conf);
    return rc;
}
