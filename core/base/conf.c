/* conf.c: see conf.h. The settings in force: look-up, visits, and their packed form. */
#include "base/conf_parts.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum { PACK_VERSION = 1, PACKED_KEYS_MAX = 10000 };

void conf_free(struct conf *conf)
{
    if (!conf)
        return;
    for (unsigned i = 0; i < conf->count; i++) {
        free(conf->entries[i].name);
        free(conf->entries[i].origin);
        conf_value_clear(&conf->entries[i].value);
    }
    for (unsigned i = 0; i < conf->place_count; i++) {
        free(conf->places[i].path);
        free(conf->places[i].origin);
    }
    free(conf->entries);
    free(conf->places);
    buf_free(&conf->warnings);
    free(conf);
}

/* ---- look-up ---- */

struct conf_entry *conf_find(const struct conf *conf, const char *name)
{
    unsigned low = 0, high = conf->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        int order = strcmp(name, conf->entries[middle].name);
        if (order == 0)
            return &conf->entries[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool conf_has(const struct conf *conf, const char *key)
{
    return conf_find(conf, key) != NULL;
}

static const struct conf_value *must_find(const struct conf *conf, const char *key,
                                          enum conf_kind kind)
{
    const struct conf_entry *entry = conf_find(conf, key);
    if (!entry || (entry->value.kind != kind && entry->value.kind != CONF_UNSET)) {
        fprintf(stderr, "fura: the code asks for the setting \"%s\", which is %s\n", key,
                entry ? "of another type" : "unknown");
        abort();
    }
    return &entry->value;
}

const char *conf_string(const struct conf *conf, const char *key)
{
    return must_find(conf, key, CONF_TEXT)->text.data;
}

int64_t conf_integer(const struct conf *conf, const char *key)
{
    return must_find(conf, key, CONF_INTEGER)->integer;
}

bool conf_bool(const struct conf *conf, const char *key)
{
    return must_find(conf, key, CONF_FLAG)->integer != 0;
}

bool conf_is_production(const struct conf *conf)
{
    return strcmp(conf_string(conf, "env"), "production") == 0;
}

const char *conf_nearest(const struct conf *conf, const char *key)
{
    const char **names = mem_alloc((conf->count + 1) * sizeof *names);
    for (unsigned i = 0; i < conf->count; i++)
        names[i] = conf->entries[i].name;
    const char *nearest = conf_nearest_of(names, conf->count, key);
    free(names);
    return nearest;
}

const char *conf_origin(const struct conf *conf, const char *key)
{
    const char *origin = NULL;
    size_t best = 0;
    for (unsigned i = 0; i < conf->place_count; i++) {
        size_t len = strlen(conf->places[i].path);
        if (strncmp(key, conf->places[i].path, len) == 0 && (key[len] == '\0' || key[len] == '.') &&
            len >= best) {
            best = len;
            origin = conf->places[i].origin;
        }
    }
    for (unsigned i = 0; i < conf->count; i++) {
        size_t len = strlen(conf->entries[i].name);
        if (strncmp(key, conf->entries[i].name, len) == 0 &&
            (key[len] == '\0' || key[len] == '.') && len > best) {
            best = len;
            origin = conf->entries[i].origin;
        }
    }
    return origin;
}

struct slice conf_warnings(const struct conf *conf)
{
    return buf_slice(&conf->warnings);
}

/* ---- for scripts ---- */

/* Leave the table at `path`'s parent on the stack, made when needed; gives the last part of the name. */
static const char *push_group(lua_State *L, const char *path)
{
    const char *dot;
    lua_pushvalue(L, -1);
    while ((dot = strchr(path, '.'))) {
        lua_pushlstring(L, path, (size_t)(dot - path));
        lua_rawget(L, -2);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            lua_createtable(L, 0, 0);
            lua_pushlstring(L, path, (size_t)(dot - path));
            lua_pushvalue(L, -2);
            lua_rawset(L, -4);
        }
        lua_remove(L, -2);
        path = dot + 1;
    }
    return path;
}

void conf_push(lua_State *L, const struct conf *conf)
{
    lua_createtable(L, 0, (int)conf->count);
    for (unsigned i = 0; i < conf->count; i++) {
        const char *name = push_group(L, conf->entries[i].name);
        conf_value_push(L, &conf->entries[i].value);
        lua_setfield(L, -2, name);
        lua_pop(L, 1);
    }
}

/* ---- for people ---- */

/* scheme://user:***@host/…?password=*** */
static void mask_url(struct slice url, struct buf *out)
{
    const char *start = memmem(url.data, url.len, "://", 3);
    size_t from = start ? (size_t)(start + 3 - url.data) : 0;
    size_t end = from;
    while (end < url.len && !strchr("/?#", url.data[end]))
        end++;
    const char *at = memrchr(url.data + from, '@', end - from);
    const char *colon = at ? memchr(url.data + from, ':', (size_t)(at - url.data) - from) : NULL;
    struct slice rest = url;
    if (colon) {
        buf_append(out, url.data, (size_t)(colon + 1 - url.data));
        buf_append_slice(out, SLICE("***"));
        rest = slice_from(url, (size_t)(at - url.data));
    }
    const char *query; /* password=, sslpassword= */
    while ((query = memmem(rest.data, rest.len, "password=", 9))) {
        size_t head = (size_t)(query + 9 - rest.data);
        buf_append(out, rest.data, head);
        buf_append_slice(out, SLICE("***"));
        rest = slice_from(rest, head);
        const char *more = memchr(rest.data, '&', rest.len);
        rest = slice_from(rest, more ? (size_t)(more - rest.data) : rest.len);
    }
    buf_append_slice(out, rest);
}

static bool names_a_secret(const char *name)
{
    static const char *const words[] = {"secret", "password", "token", "key", "dsn"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(name, words[i]))
            return true;
    return false;
}

/* Only a plugin knows which of its settings are secret, so in free tables the name decides. */
static void mask_items(struct conf_value *value, bool secret)
{
    if (value->kind == CONF_TEXT && secret) {
        conf_value_clear(value);
        *value = conf_value_text(SLICE("***"));
    }
    for (unsigned i = 0; i < value->count; i++) {
        const char *name = value->items[i].name;
        mask_items(&value->items[i].value, secret || (name && names_a_secret(name)));
    }
}

static void append_free_table(const struct conf_value *value, struct buf *out)
{
    struct conf_value shown = conf_value_copy(value);
    mask_items(&shown, false);
    conf_value_json(&shown, out);
    conf_value_clear(&shown);
}

static void append_shown(const struct conf_entry *entry, struct buf *out)
{
    struct buf masked = {0};
    if (entry->value.kind == CONF_MAP) {
        append_free_table(&entry->value, out);
        return;
    }
    if (entry->value.kind == CONF_UNSET || !(entry->flags & (CONF_SECRET | CONF_CREDENTIALS))) {
        conf_value_json(&entry->value, out);
        return;
    }
    if (entry->flags & CONF_SECRET)
        buf_append_slice(&masked, SLICE("***"));
    else
        mask_url(entry->value.text, &masked);
    struct conf_value shown = conf_value_text(buf_slice(&masked));
    conf_value_json(&shown, out);
    conf_value_clear(&shown);
    buf_free(&masked);
}

void conf_each(const struct conf *conf,
               void (*visit)(void *owner, const char *key, struct slice value, const char *origin),
               void *owner)
{
    for (unsigned i = 0; i < conf->count; i++) {
        struct buf shown = {0};
        append_shown(&conf->entries[i], &shown);
        visit(owner, conf->entries[i].name, buf_slice(&shown), conf->entries[i].origin);
        buf_free(&shown);
    }
}

unsigned conf_restart_changes(const struct conf *running, const struct conf *next, struct buf *out)
{
    unsigned changes = 0;
    for (unsigned i = 0; i < next->count; i++) {
        const struct conf_entry *entry = &next->entries[i];
        const struct conf_entry *old = conf_find(running, entry->name);
        if (!(entry->flags & CONF_RESTART) ||
            (old && conf_value_equals(&old->value, &entry->value)))
            continue;
        buf_printf(out, "%s: key %s: needs a restart\n", entry->origin, entry->name);
        changes++;
    }
    return changes;
}

/* ---- for the bundle ---- */

void conf_pack(const struct conf *conf, struct buf *out)
{
    conf_pack_u32(out, PACK_VERSION);
    conf_pack_u32(out, conf->count);
    for (unsigned i = 0; i < conf->count; i++) {
        conf_pack_bytes(out, slice_cstr(conf->entries[i].name));
        conf_pack_bytes(out, slice_cstr(conf->entries[i].origin));
        conf_pack_u32(out, conf->entries[i].flags);
        conf_value_pack(&conf->entries[i].value, out);
    }
    conf_pack_u32(out, conf->place_count);
    for (unsigned i = 0; i < conf->place_count; i++) {
        conf_pack_bytes(out, slice_cstr(conf->places[i].path));
        conf_pack_bytes(out, slice_cstr(conf->places[i].origin));
    }
}

static bool unpack_text(struct slice *rest, char **out)
{
    struct slice bytes;
    if (!conf_unpack_bytes(rest, &bytes))
        return false;
    *out = mem_strndup(bytes.data, bytes.len);
    return true;
}

static bool unpack_entries(struct slice *rest, struct conf *conf)
{
    uint32_t count;
    if (!conf_unpack_u32(rest, &count) || count > PACKED_KEYS_MAX)
        return false;
    conf->entries = mem_zalloc((count + 1) * sizeof *conf->entries);
    for (; conf->count < count; conf->count++) {
        struct conf_entry *entry = &conf->entries[conf->count];
        if (!unpack_text(rest, &entry->name) || !unpack_text(rest, &entry->origin) ||
            !conf_unpack_u32(rest, &entry->flags) || !conf_value_unpack(rest, &entry->value)) {
            conf->count++; /* so that conf_free() sees what there is of it */
            return false;
        }
    }
    return true;
}

static bool unpack_places(struct slice *rest, struct conf *conf)
{
    uint32_t count;
    if (!conf_unpack_u32(rest, &count) || count > PACKED_KEYS_MAX)
        return false;
    conf->places = mem_zalloc((count + 1) * sizeof *conf->places);
    for (; conf->place_count < count; conf->place_count++) {
        struct conf_place *place = &conf->places[conf->place_count];
        if (!unpack_text(rest, &place->path) || !unpack_text(rest, &place->origin)) {
            conf->place_count++;
            return false;
        }
    }
    return true;
}

enum result conf_unpack(struct slice packed, struct conf **out)
{
    struct conf *conf = mem_new(struct conf);
    uint32_t version;
    if (conf_unpack_u32(&packed, &version) && version == PACK_VERSION &&
        unpack_entries(&packed, conf) && unpack_places(&packed, conf) && packed.len == 0) {
        *out = conf;
        return R_OK;
    }
    conf_free(conf);
    return R_INVALID;
}
