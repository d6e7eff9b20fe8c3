/* conf_schema.c: every key there is: the core's table and the application's lua/settings.lua, which has the same
 * attributes by the same names. */
#include "base/conf_parts.h"
#include "base/file.h"
#include "base/mem.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdint.h>
#include <stdlib.h>

enum { SETTINGS_MAX_BYTES = 1 << 20 };

/* ---- look-up ---- */

const struct conf_key *conf_schema_find(const struct conf_schema *schema, const char *name)
{
    for (unsigned i = 0; i < schema->count; i++)
        if (strcmp(schema->keys[i].name, name) == 0)
            return &schema->keys[i];
    return NULL;
}

bool conf_schema_has_group(const struct conf_schema *schema, const char *path)
{
    size_t len = strlen(path);
    for (unsigned i = 0; i < schema->count; i++)
        if (strncmp(schema->keys[i].name, path, len) == 0 && schema->keys[i].name[len] == '.')
            return true;
    return false;
}

/* Levenshtein, of names short enough for one row on the stack. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[64];
    size_t len = strlen(b);
    if (len >= sizeof row / sizeof *row)
        return UINT16_MAX;
    for (unsigned j = 0; j <= len; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= len; j++) {
            unsigned change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = change < row[j] ? change : row[j];
        }
    }
    return row[len];
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

/* In half letters: a typo counts 2; a name that was only begun 3; the right name in a wrong group 2 as well. */
static unsigned strangeness(const char *wanted, const char *name)
{
    const char *last = last_part(wanted);
    size_t len = strlen(last);
    unsigned whole = 2 * distance(wanted, name);
    unsigned other_group = 2 * distance(last, last_part(name)) + 2;
    if (len >= 3 && strncmp(last, last_part(name), len) == 0 && other_group > 3)
        other_group = 3;
    return whole < other_group ? whole : other_group;
}

const char *conf_nearest_of(const char *const *names, unsigned count, const char *wanted)
{
    const char *nearest = NULL;
    unsigned typos = (unsigned)(strlen(last_part(wanted)) / 3); /* about one in three letters */
    unsigned best = 2 * (typos < 2 ? 2 : typos) + 1;
    for (unsigned i = 0; i < count; i++) {
        unsigned score = strangeness(wanted, names[i]);
        if (score < best) {
            best = score;
            nearest = names[i];
        }
    }
    return nearest;
}

const char *conf_schema_nearest(const struct conf_schema *schema, const char *path)
{
    const char **names = mem_alloc((schema->count + 1) * sizeof *names);
    for (unsigned i = 0; i < schema->count; i++)
        names[i] = schema->keys[i].name;
    const char *nearest = conf_nearest_of(names, schema->count, path);
    free(names);
    return nearest;
}

/* ---- reading lua/settings.lua ---- */

struct settings {
    struct conf_schema *schema;
    struct conf_problems *problems;
    struct conf_lines *lines;
    lua_State *L;
};

static void problem(struct settings *settings, const char *key, const char *attribute,
                    const char *text)
{
    struct buf path = {0};
    buf_printf(&path, "%s%s%s", key, attribute ? "." : "", attribute ? attribute : "");
    const struct conf_line *line = conf_lines_find(settings->lines, buf_cstr(&path));
    conf_problem_add(settings->problems, line ? line->file : "lua/settings.lua",
                     line ? line->line : 0, "%s: %s", path.data, text);
    buf_free(&path);
}

enum attribute_kind { TEXT, COUNT, NUMBER, SWITCH, FUNCTION, TYPE, INITIAL };

static const struct attribute {
    const char *name;
    enum attribute_kind kind;
    size_t offset;
} attributes[] = {
    {"type", TYPE, offsetof(struct conf_key, type)},
    {"default", INITIAL, offsetof(struct conf_key, initial)},
    {"min", NUMBER, offsetof(struct conf_key, min)},
    {"max", NUMBER, offsetof(struct conf_key, max)},
    {"unit", TEXT, offsetof(struct conf_key, unit)},
    {"env", TEXT, offsetof(struct conf_key, env)},
    {"one_of", TEXT, offsetof(struct conf_key, one_of)},
    {"schemes", TEXT, offsetof(struct conf_key, schemes)},
    {"min_bytes", COUNT, offsetof(struct conf_key, min_bytes)},
    {"secret", SWITCH, offsetof(struct conf_key, secret)},
    {"strong", SWITCH, offsetof(struct conf_key, strong)},
    {"restart", SWITCH, offsetof(struct conf_key, restart)},
    {"environment_only", SWITCH, offsetof(struct conf_key, environment_only)},
    {"required_in_production", SWITCH, offsetof(struct conf_key, required_in_production)},
    {"refused_in_production", INITIAL, offsetof(struct conf_key, refused_in_production)},
    {"allow_any", SWITCH, offsetof(struct conf_key, allow_any)},
    {"check", FUNCTION, offsetof(struct conf_key, check)},
    {"advise", FUNCTION, offsetof(struct conf_key, advise)},
};
enum { ATTRIBUTES = sizeof attributes / sizeof *attributes };

static const char *const type_names[] = {
    [CONF_TYPE_STRING] = "string",
    [CONF_TYPE_INTEGER] = "integer",
    [CONF_TYPE_BOOLEAN] = "boolean",
    [CONF_TYPE_URL] = "url",
    [CONF_TYPE_LISTEN_LIST] = "listen_list",
    [CONF_TYPE_CIDR_LIST] = "cidr_list",
    [CONF_TYPE_LIST] = "list",
    [CONF_TYPE_INTEGER_LIST] = "integer_list",
    [CONF_TYPE_BASE64_32] = "base64_32",
    [CONF_TYPE_TABLE] = "table",
};

static bool set_type(lua_State *L, void *field)
{
    const char *name = lua_isstring(L, -1) ? lua_tostring(L, -1) : "";
    for (unsigned i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (strcmp(type_names[i], name) == 0) {
            *(enum conf_type *)field = (enum conf_type)i;
            return true;
        }
    return false;
}

/* A default as text, in the form the environment would have it. The registry keeps it. */
static bool set_initial(lua_State *L, void *field)
{
    if (lua_isboolean(L, -1)) {
        *(const char **)field = lua_toboolean(L, -1) ? "on" : "off";
        return true;
    }
    if (!lua_isstring(L, -1))
        return false;
    lua_pushvalue(L, -1);
    *(const char **)field = lua_tostring(L, -1);
    luaL_ref(L, LUA_REGISTRYINDEX);
    return true;
}

/* Sets one attribute from the value at the top; false for a wrong type. */
static bool set_attribute(lua_State *L, const struct attribute *attribute, struct conf_key *key)
{
    void *field = (char *)key + attribute->offset;
    int type = lua_type(L, -1);
    switch (attribute->kind) {
    case TYPE:
        return set_type(L, field);
    case INITIAL:
        return set_initial(L, field);
    case TEXT:
        return type == LUA_TSTRING && set_initial(L, field);
    case COUNT:
        *(unsigned *)field = (unsigned)lua_tointeger(L, -1);
        return type == LUA_TNUMBER;
    case NUMBER:
        *(int64_t *)field = (int64_t)lua_tonumber(L, -1);
        return type == LUA_TNUMBER;
    case SWITCH:
        *(bool *)field = lua_toboolean(L, -1);
        return type == LUA_TBOOLEAN;
    case FUNCTION:
        lua_pushvalue(L, -1);
        *(int *)field = luaL_ref(L, LUA_REGISTRYINDEX);
        return type == LUA_TFUNCTION;
    }
    return false;
}

static const struct attribute *find_attribute(const char *name)
{
    for (unsigned i = 0; i < ATTRIBUTES; i++)
        if (strcmp(attributes[i].name, name) == 0)
            return &attributes[i];
    return NULL;
}

static void unknown_attribute(struct settings *settings, const char *key, const char *name)
{
    const char *names[ATTRIBUTES];
    struct buf text = {0};
    for (unsigned i = 0; i < ATTRIBUTES; i++)
        names[i] = attributes[i].name;
    const char *nearest = conf_nearest_of(names, ATTRIBUTES, name);
    buf_printf(&text, "is no attribute of a setting (expected %s)",
               nearest ? nearest : "type, default, env, …");
    problem(settings, key, name, buf_cstr(&text));
    buf_free(&text);
}

static void check_key(struct settings *settings, const struct conf_key *key, bool has_type)
{
    struct conf_value value = {0};
    struct buf why = {0};
    if (!has_type)
        problem(settings, key->name, NULL, "has no type (expected a type attribute)");
    else if (conf_schema_find(settings->schema, key->name) ||
             conf_schema_has_group(settings->schema, key->name))
        problem(settings, key->name, NULL,
                "is a key or a group of the core (expected another name)");
    else if (key->initial && !conf_parse_text(key, slice_cstr(key->initial), &value, &why))
        problem(settings, key->name, "default", buf_cstr(&why));
    conf_value_clear(&value);
    buf_free(&why);
}

/* The name is at -2, the table of attributes at -1. */
static void read_key(struct settings *settings)
{
    lua_State *L = settings->L;
    struct conf_key key = {.name = lua_tostring(L, -2),
                           .schemes = "https|http",
                           .check = LUA_NOREF,
                           .advise = LUA_NOREF};
    bool has_type = false;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        const struct attribute *attribute = find_attribute(name);
        if (!attribute)
            unknown_attribute(settings, key.name, name);
        else if (!set_attribute(L, attribute, &key))
            problem(settings, key.name, name, "has a wrong value");
        has_type |= attribute && attribute->kind == TYPE;
    }
    check_key(settings, &key, has_type);
    struct conf_schema *schema = settings->schema;
    schema->keys = mem_realloc(schema->keys, (schema->count + 1) * sizeof *schema->keys);
    schema->keys[schema->count++] = key;
}

static void read_keys(struct settings *settings)
{
    lua_State *L = settings->L;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING && lua_istable(L, -1))
            read_key(settings);
        else
            problem(settings, "", NULL, "holds an entry that is not [\"dotted.name\"] = { … }");
    }
}

/* The libraries that check functions may want; nothing that reaches outside. */
static int l_open_libraries(lua_State *L)
{
    static const char *const outside[] = {"dofile",  "loadfile",      "load",  "loadstring",
                                          "require", "module",        "print", "pcall",
                                          "xpcall",  "collectgarbage"};
    static const lua_CFunction openers[] = {luaopen_base, luaopen_string, luaopen_math,
                                            luaopen_table};
    for (size_t i = 0; i < sizeof openers / sizeof *openers; i++) {
        lua_pushcfunction(L, openers[i]);
        lua_call(L, 0, 0);
    }
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        lua_pushnil(L);
        lua_setglobal(L, outside[i]);
    }
    return 0;
}

/* Leave the table that the source returns on the stack. */
static bool run(struct settings *settings, struct slice source)
{
    lua_State *L = settings->L;
    lua_pushcfunction(L, l_open_libraries);
    if (conf_lua_call(L, 0, 0) &&
        luaL_loadbufferx(L, source.data, source.len, "@lua/settings.lua", "t") == 0 &&
        conf_lua_call(L, 0, 1)) {
        if (lua_istable(L, -1))
            return true;
        lua_pushstring(L, "returns no settings (expected a table)");
    }
    conf_problem_add_text(settings->problems, "lua/settings.lua", lua_tostring(L, -1));
    return false;
}

static void read_settings(const char *path, const char *root, struct slice source,
                          struct settings *settings)
{
    struct conf_chunk chunk = {source, path, root};
    settings->L = settings->schema->L = conf_lua_new();
    settings->lines = conf_lines_new();
    conf_lines_add(settings->lines, &chunk, "", settings->problems);
    if (run(settings, source)) {
        read_keys(settings);
        luaL_ref(settings->L, LUA_REGISTRYINDEX); /* the table keeps names and texts alive */
    }
    conf_lines_free(settings->lines);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct conf_key *)a)->name, ((const struct conf_key *)b)->name);
}

enum result conf_schema_load(const char *root, struct conf_schema *out,
                             struct conf_problems *problems)
{
    unsigned before = problems->count;
    *out = (struct conf_schema){.count = conf_core_key_count};
    out->keys = mem_alloc(sizeof *out->keys * conf_core_key_count);
    for (unsigned i = 0; i < conf_core_key_count; i++) {
        out->keys[i] = conf_core_keys[i];
        out->keys[i].check = out->keys[i].advise = LUA_NOREF;
    }
    struct buf path = {0}, source = {0};
    buf_printf(&path, "%s/lua/settings.lua", root);
    enum result rc = file_read(buf_cstr(&path), SETTINGS_MAX_BYTES, &source);
    if (rc == R_OK) {
        struct settings settings = {.schema = out, .problems = problems};
        read_settings(path.data, root, buf_slice(&source), &settings);
    } else if (rc != R_NOT_FOUND) {
        conf_problem_add(problems, "lua/settings.lua", 0, "cannot be read (got %s)",
                         result_code(rc));
    }
    qsort(out->keys, out->count, sizeof *out->keys, by_name);
    buf_free(&path);
    buf_free(&source);
    return problems->count > before ? R_INVALID : R_OK;
}

void conf_schema_free(struct conf_schema *schema)
{
    free(schema->keys);
    conf_lua_free(schema->L);
    *schema = (struct conf_schema){0};
}
