/* conf_rules.c: what one key alone cannot know: defaults that depend on the machine, what production refuses, and
 * which addresses development may listen on. */
#include "base/conf_parts.h"
#include "base/mem.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

enum { DISTINCT_BYTES_LEAST = 8, STRONG_BYTES_LEAST = 16 };

static const char zoneinfo[] = "/usr/share/zoneinfo";

/* ---- computed defaults ---- */

static void set_text(struct conf *conf, const char *name, const char *text)
{
    struct conf_entry *entry = conf_find(conf, name);
    if (entry->value.kind == CONF_UNSET)
        entry->value = conf_value_text(slice_cstr(text));
}

static void set_integer(struct conf *conf, const char *name, int64_t integer)
{
    struct conf_entry *entry = conf_find(conf, name);
    if (entry->value.kind == CONF_UNSET || entry->value.integer == 0)
        entry->value = (struct conf_value){.kind = CONF_INTEGER, .integer = integer};
}

/* /run/fura is made by systemd for the service's user; anybody else keeps the sockets beside the application. */
static void complete_run_folder(struct conf *conf, const char *root)
{
    struct buf text = {0};
    buf_printf(&text, "%s/.data/run", root);
    set_text(conf, "run_folder", access("/run/fura", W_OK) == 0 ? "/run/fura" : buf_cstr(&text));
    buf_clear(&text);
    buf_printf(&text, "unix:%s/control.sock", conf_string(conf, "run_folder"));
    set_text(conf, "admin_listen", buf_cstr(&text));
    buf_free(&text);
}

void conf_rules_complete(struct conf *conf, const char *root)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    set_integer(conf, "workers", cores > 0 ? cores : 1);
    if (conf_find(conf, "drain_notice_s")->value.kind == CONF_UNSET)
        set_integer(conf, "drain_notice_s", conf_is_production(conf) ? 3 : 0);
    complete_run_folder(conf, root);
    if (conf_string(conf, "database.url"))
        set_text(conf, "database.direct_url", conf_string(conf, "database.url"));
}

/* ---- reports ---- */

static void report(struct conf_problems *problems, const struct conf_entry *entry, const char *text)
{
    conf_problem_add_key(problems, entry->origin, entry->name, text);
}

static void warn(struct conf *conf, const struct conf_entry *entry, const char *text)
{
    buf_printf(&conf->warnings, "%s: %s: %s\n", entry->origin, entry->name, text);
}

/* ---- secrets ---- */

static bool contains_word(struct slice text, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= text.len; i++)
        if (strncasecmp(text.data + i, word, len) == 0)
            return true;
    return false;
}

/* Only words of six letters or more: shorter ones turn up in good random text by chance. */
static bool is_guessable(struct slice text)
{
    static const char *const words[] = {"changeme", "change-me", "change_me", "secret",
                                        "password", "example",   "default",   "develop",
                                        "qwerty",   "123456",    "insecure",  "replace"};
    bool seen[256] = {0};
    unsigned distinct = 0;
    for (size_t i = 0; i < text.len; i++)
        if (!seen[(unsigned char)text.data[i]]) {
            seen[(unsigned char)text.data[i]] = true;
            distinct++;
        }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (contains_word(text, words[i]))
            return true;
    return distinct < DISTINCT_BYTES_LEAST || text.len < STRONG_BYTES_LEAST;
}

static void check_strength(const struct conf_entry *entry, struct conf_problems *problems)
{
    static const char weak[] =
        "is too easy to guess (expected random text, as from "
        "`openssl rand -base64 32`, got a short, repetitive or well-known one)";
    if (entry->value.kind == CONF_TEXT && is_guessable(entry->value.text))
        report(problems, entry, weak);
    for (unsigned i = 0; i < entry->value.count; i++)
        if (is_guessable(entry->value.items[i].value.text)) {
            report(problems, entry, weak);
            return;
        }
}

/* ---- production ---- */

static void say_missing(const struct conf_key *key, const struct conf_entry *entry,
                        struct conf_problems *problems)
{
    struct buf text = {0};
    buf_printf(&text, "is missing (expected in production%s%s, got nothing)",
               key->env ? " as " : "", key->env ? key->env : "");
    report(problems, entry, buf_cstr(&text));
    buf_free(&text);
}

static void check_refused(const struct conf_key *key, const struct conf_entry *entry,
                          struct conf_problems *problems)
{
    struct conf_value refused = {0};
    struct buf text = {0};
    if (conf_parse_text(key, slice_cstr(key->refused_in_production), &refused, &text) &&
        conf_value_equals(&refused, &entry->value)) {
        buf_clear(&text);
        buf_printf(&text, "is refused in production (expected anything but %s)",
                   key->refused_in_production);
        report(problems, entry, buf_cstr(&text));
    }
    conf_value_clear(&refused);
    buf_free(&text);
}

static void check_production(const struct conf_key *key, const struct conf_entry *entry,
                             struct conf_problems *problems)
{
    bool empty = entry->value.kind == CONF_UNSET ||
                 (entry->value.kind == CONF_ARRAY && entry->value.count == 0);
    if (key->required_in_production && empty)
        say_missing(key, entry, problems);
    if (key->refused_in_production)
        check_refused(key, entry, problems);
    if (key->strong && !empty)
        check_strength(entry, problems);
}

/* ---- listeners ---- */

static void check_listener(const struct conf *conf, const struct conf_entry *entry,
                           struct slice address, struct conf_problems *problems)
{
    struct conf_listener listener;
    struct buf text = {0};
    if (!conf_parse_listener(address, &listener))
        buf_printf(
            &text,
            "is no address (expected unix:PATH with a path of at most 107 bytes, got \"%.*s\")",
            (int)address.len, address.data);
    else if (!listener.loopback && !conf_is_production(conf) &&
             !conf_bool(conf, "allow_public_development"))
        buf_printf(&text,
                   "opens development to the outside (expected a loopback address, or "
                   "allow_public_development = true, got \"%.*s\")",
                   (int)address.len, address.data);
    else if (listener.tls && !(conf_string(conf, "tls_cert") && conf_string(conf, "tls_key")))
        buf_printf(&text, "needs a certificate (expected tls_cert and tls_key beside \"%.*s\")",
                   (int)address.len, address.data);
    if (text.len > 0)
        report(problems, entry, buf_cstr(&text));
    buf_free(&text);
}

static void check_listeners(const struct conf *conf, const char *name,
                            struct conf_problems *problems)
{
    const struct conf_entry *entry = conf_find(conf, name);
    struct slice rest = entry->value.text;
    while (rest.len > 0)
        check_listener(conf, entry, slice_cut(&rest, ','), problems);
}

/* Whoever gives commands is known by their user, which only a unix socket tells. */
static void check_control(const struct conf *conf, struct conf_problems *problems)
{
    const struct conf_entry *entry = conf_find(conf, "admin_listen");
    struct slice address = entry->value.text;
    struct buf text = {0};
    if (slice_starts(address, SLICE("unix:")) && !memchr(address.data, ',', address.len)) {
        check_listeners(conf, "admin_listen", problems);
        return;
    }
    buf_printf(&text, "is no control socket (expected one unix:PATH, got \"%.*s\")",
               (int)address.len, address.data);
    report(problems, entry, buf_cstr(&text));
    buf_free(&text);
}

/* ---- the rest of the core's keys ---- */

static void check_file(const struct conf *conf, const char *name, struct conf_problems *problems)
{
    const struct conf_entry *entry = conf_find(conf, name);
    struct buf text = {0};
    if (entry->value.kind == CONF_TEXT && access(entry->value.text.data, R_OK) != 0) {
        buf_printf(&text, "cannot be read (expected a file, got \"%s\")", entry->value.text.data);
        report(problems, entry, buf_cstr(&text));
    }
    buf_free(&text);
}

static void check_timezone(const struct conf *conf, struct conf_problems *problems)
{
    const struct conf_entry *entry = conf_find(conf, "timezone");
    const char *name = conf_string(conf, "timezone");
    struct buf path = {0};
    buf_printf(&path, "%s/%s", zoneinfo, name ? name : "");
    if (!name || name[0] == '/' || strstr(name, "..") ||
        (access(zoneinfo, R_OK) == 0 && access(buf_cstr(&path), R_OK) != 0))
        report(problems, entry, "is no time zone (expected a name like Europe/Moscow)");
    buf_free(&path);
}

/* ---- checks written in Lua ---- */

/* conf(key) of a check function: the value of another key. */
static int l_value_of(lua_State *L)
{
    const struct conf *conf = lua_touserdata(L, lua_upvalueindex(1));
    const struct conf_entry *entry = conf_find(conf, luaL_checkstring(L, 1));
    if (!entry)
        return luaL_error(L, "there is no key \"%s\"", lua_tostring(L, 1));
    conf_value_push(L, &entry->value);
    return 1;
}

/* Calls function(value, conf): text when it objects, NULL when not. The text stays on the stack. */
static const char *objection(lua_State *L, int function, const struct conf *conf,
                             const struct conf_entry *entry)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, function);
    conf_value_push(L, &entry->value);
    lua_pushlightuserdata(L, (void *)(uintptr_t)conf);
    lua_pushcclosure(L, l_value_of, 1);
    conf_lua_call(L, 2, 1);
    return lua_isstring(L, -1) ? lua_tostring(L, -1) : NULL;
}

static void run_check(lua_State *L, const struct conf_key *key, struct conf *conf,
                      struct conf_problems *problems)
{
    const struct conf_entry *entry = conf_find(conf, key->name);
    if (key->check != LUA_NOREF && entry->value.kind != CONF_UNSET) {
        const char *text = objection(L, key->check, conf, entry);
        if (text)
            report(problems, entry, text);
        lua_pop(L, 1);
    }
    if (key->advise != LUA_NOREF) {
        const char *text = objection(L, key->advise, conf, entry);
        if (text)
            warn(conf, entry, text);
        lua_pop(L, 1);
    }
}

void conf_rules_check(struct conf *conf, const struct conf_schema *schema,
                      struct conf_problems *problems)
{
    static const char *const listeners[] = {"listen", "metrics_listen"};
    static const char *const files[] = {"tls_cert", "tls_key", "redis.ca_file", "fetch.ca_file"};
    for (unsigned i = 0; i < schema->count; i++) {
        const struct conf_key *key = &schema->keys[i];
        const struct conf_entry *entry = conf_find(conf, key->name);
        if (entry->broken)
            continue;
        if (conf_is_production(conf))
            check_production(key, entry, problems);
        if (schema->L)
            run_check(schema->L, key, conf, problems);
    }
    for (size_t i = 0; i < sizeof listeners / sizeof *listeners; i++)
        check_listeners(conf, listeners[i], problems);
    check_control(conf, problems);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        check_file(conf, files[i], problems);
    check_timezone(conf, problems);
}
