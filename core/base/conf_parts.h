/* conf_parts.h: what the files conf*.c share; nobody else includes it.
 *
 *   conf.c          the settings in force: look-up, visits, packing
 *   conf_load.c     the load from end to end
 *   conf_core.c     the table of the core's own keys
 *   conf_schema.c   that table plus lua/settings.lua as one sorted list of keys
 *   conf_lua.c      the bare Lua state that evaluates a conf file
 *   conf_lines.c    which line of a conf file gives which key
 *   conf_env.c      environment variables, NAME_FILE and .env
 *   conf_parse.c    text → a checked value of a key's type
 *   conf_parse_lua.c  the same from a Lua value
 *   conf_rules.c    what depends on several keys: production, listeners, computed defaults
 *   conf_value.c    values: copy, compare, JSON, Lua, bytes
 *   conf_problem.c  the list of everything that is wrong */
#pragma once

#include "base/conf.h"
#include "base/conf_value.h"

/* ---- the settings in force ---- */

enum conf_flags {
    CONF_SECRET = 1,      /* never shown */
    CONF_CREDENTIALS = 2, /* a URL whose password is never shown */
    CONF_RESTART = 4,
};

struct conf_entry {
    char *name;
    char *origin; /* «conf/default.lua:12», «environment NAME», «.env:3», «default» */
    unsigned flags;
    bool broken; /* what was given is wrong and told already: no further complaints */
    struct conf_value value;
};

/* Where a key below a table-typed one was written: plugins.cors.origins. */
struct conf_place {
    char *path, *origin;
};

struct conf {
    struct conf_entry *entries; /* sorted by name */
    unsigned count;
    struct conf_place *places;
    unsigned place_count;
    struct buf warnings;
};

struct conf_entry *conf_find(const struct conf *conf, const char *name); /* NULL when unknown */

/* ---- problems ---- */

struct conf_problem {
    char *file, *text;
    int line;
};

struct conf_problems {
    struct conf_problem *list;
    unsigned count;
};

/* `file` may also be the name of an environment variable's place; line 0 = none. */
void conf_problem_add(struct conf_problems *problems, const char *file, int line,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
/* About a key whose value came from `origin`, see struct conf_entry. */
void conf_problem_add_key(struct conf_problems *problems, const char *origin, const char *key,
                          const char *text);
/* `text` is an error as Lua writes it, «file:line: …»; `file` counts when it does not say. */
void conf_problem_add_text(struct conf_problems *problems, const char *file, const char *text);
/* Moves what `from` holds. */
void conf_problems_merge(struct conf_problems *to, struct conf_problems *from);
/* Sorted by file and line, one a line; frees the list. */
void conf_problems_print(struct conf_problems *problems, struct buf *out);

/* ---- the schema ---- */

enum conf_type {
    CONF_TYPE_STRING,
    CONF_TYPE_INTEGER,
    CONF_TYPE_BOOLEAN,
    CONF_TYPE_URL,
    CONF_TYPE_LISTEN_LIST, /* kept as its text */
    CONF_TYPE_CIDR_LIST,   /* kept as a comma list */
    CONF_TYPE_LIST,        /* of strings */
    CONF_TYPE_INTEGER_LIST,
    CONF_TYPE_BASE64_32, /* a list of raw 32-byte keys, newest first */
    CONF_TYPE_TABLE,     /* anything a Lua table can say in data */
};

struct conf_key {
    const char *name;
    enum conf_type type;
    const char *initial; /* the default as text; NULL = unset */
    int64_t min, max;    /* INTEGER; both 0 = any */
    const char *unit;    /* for error texts */
    const char *env;     /* environment variable, NULL = none */
    const char *one_of;  /* "a|b" */
    const char *schemes; /* of a URL: "http|https" */
    unsigned min_bytes;  /* of a string, or each string of a list */
    bool secret;         /* never shown */
    bool credentials;    /* a URL whose password is never shown */
    bool strong;         /* a secret we chose: production refuses a guessable one */
    bool restart;        /* read once at start; a reload that changes it is refused */
    bool environment_only;
    bool required_in_production;
    const char *refused_in_production; /* a value, as text */
    bool allow_any;                    /* CIDR_LIST: "*" */
    int check, advise;                 /* functions in the schema's Lua registry, or LUA_NOREF */
};

extern const struct conf_key conf_core_keys[];
extern const unsigned conf_core_key_count;

struct conf_schema {
    struct conf_key *keys; /* sorted by name */
    unsigned count;
    lua_State *L; /* holds check functions and the texts of application keys; NULL without
                     lua/settings.lua */
};

/* Core keys and, when there is one, those of ROOT/lua/settings.lua. */
enum result conf_schema_load(const char *root, struct conf_schema *out,
                             struct conf_problems *problems);
void conf_schema_free(struct conf_schema *schema);
const struct conf_key *conf_schema_find(const struct conf_schema *schema, const char *name);
/* Is there a key below `path`? */
bool conf_schema_has_group(const struct conf_schema *schema, const char *path);
const char *conf_schema_nearest(const struct conf_schema *schema, const char *path);

/* ---- parsing ---- */

/* On false `why` says «message (expected …, got …)»; secrets are not quoted. */
bool conf_parse_text(const struct conf_key *key, struct slice text, struct conf_value *out,
                     struct buf *why);
bool conf_parse_lua(const struct conf_key *key, lua_State *L, int index, struct conf_value *out,
                    struct buf *why);

/* For conf_parse_lua.c: what a key wants, in words; the items of a list. */
struct conf_slices {
    struct slice *list;
    size_t count;
};
void conf_parse_expected(const struct conf_key *key, struct buf *out);
void conf_slices_add(struct conf_slices *slices, struct slice text);
bool conf_parse_items(const struct conf_key *key, const struct conf_slices *items,
                      struct conf_value *out, struct buf *why);

/* One address of a listen list, as far as the settings need to know it. */
struct conf_listener {
    bool tls, is_unix, loopback;
};
bool conf_parse_listener(struct slice text, struct conf_listener *out);

/* ---- environment ---- */

struct conf_env; /* the process environment, perhaps over a .env file */

struct conf_env *conf_env_new(void);
void conf_env_free(struct conf_env *env);
/* A missing file is fine. */
void conf_env_read_dotenv(struct conf_env *env, const char *path, const char *shown,
                          struct conf_problems *problems);
void conf_env_drop_dotenv(struct conf_env *env);
bool conf_env_has_dotenv(const struct conf_env *env);
/* NAME or the content of the file NAME_FILE; empty counts as unset. `origin` gets words for where
 * it came from. */
enum result conf_env_get(const struct conf_env *env, const char *name, struct buf *value,
                         struct buf *origin, struct buf *why);

/* ---- lines ---- */

struct conf_lines;

struct conf_line {
    char *path; /* dotted key */
    char *file; /* as shown to people */
    int line;
    unsigned table; /* which table constructor; two equal paths in one are a mistake */
};

struct conf_lines *conf_lines_new(void);
void conf_lines_free(struct conf_lines *lines);
/* Note every key of the table that `source` returns, below the key `prefix` («» for the conf file
 * itself). Files it includes are read too. A key given twice in one table is a problem. */
struct conf_chunk {
    struct slice source;
    const char *path; /* absolute */
    const char *root; /* shown names are relative to it */
};
void conf_lines_add(struct conf_lines *lines, const struct conf_chunk *chunk, const char *prefix,
                    struct conf_problems *problems);
/* The line of `path`, else of the nearest table around it; NULL when the file says nothing about
 * either. */
const struct conf_line *conf_lines_find(const struct conf_lines *lines, const char *path);
unsigned conf_lines_count(const struct conf_lines *lines);
const struct conf_line *conf_lines_at(const struct conf_lines *lines, unsigned index);

/* ---- Lua ---- */

/* A Lua state with a memory cap and a budget of instructions; nothing is open in it. */
lua_State *conf_lua_new(void);
void conf_lua_free(lua_State *L);
/* pcall under the budget. False leaves the error text on the stack. */
bool conf_lua_call(lua_State *L, int nargs, int nresults);
/* `path` without `root` in front, for people. Points into `path`. */
const char *conf_shown_path(const char *root, const char *path);
/* `name` beside the file `beside`, unless it is absolute. */
void conf_resolve_path(const char *beside, const char *name, struct buf *out);

/* Evaluate a conf file and leave the table it returned on the stack. False: problems were added,
 * nothing is left. */
bool conf_lua_evaluate(lua_State *L, const char *root, const char *path, const struct conf_env *env,
                       struct conf_problems *problems);

/* ---- rules ---- */

/* Defaults that depend on the machine or on other keys. */
void conf_rules_complete(struct conf *conf, const char *root);
/* Everything that depends on more than the value of one key; what is only unwise goes to conf->warnings. */
void conf_rules_check(struct conf *conf, const struct conf_schema *schema,
                      struct conf_problems *problems);
