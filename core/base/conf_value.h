/* conf_value.h: one value of the settings, and its forms: JSON for people, Lua for scripts, bytes
 * for the bundle. Part of conf (conf_parts.h). */
#pragma once

#include "base/buf.h"

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

enum conf_kind {
    CONF_UNSET,
    CONF_TEXT,
    CONF_INTEGER,
    CONF_NUMBER,
    CONF_FLAG,
    CONF_ARRAY,
    CONF_MAP
};

struct conf_value {
    enum conf_kind kind;
    struct slice text; /* owned, NUL-terminated */
    int64_t integer;   /* INTEGER; FLAG as 0 or 1 */
    double number;
    struct conf_item *items; /* ARRAY, MAP (sorted by name) */
    unsigned count;
};

struct conf_item {
    char *name; /* MAP only */
    struct conf_value value;
};

struct conf_value conf_value_text(struct slice text);
struct conf_value conf_value_copy(const struct conf_value *value);
void conf_value_clear(struct conf_value *value); /* leaves it unset */
/* A zeroed item at the end, to be filled; `name` is copied, NULL in arrays. */
struct conf_value *conf_value_append(struct conf_value *list, const char *name);
bool conf_value_equals(const struct conf_value *a, const struct conf_value *b);
void conf_value_json(const struct conf_value *value, struct buf *out);
void conf_value_push(lua_State *L, const struct conf_value *value);
void conf_value_pack(const struct conf_value *value, struct buf *out);

void conf_pack_bytes(struct buf *out, struct slice bytes);
void conf_pack_u32(struct buf *out, uint32_t number);
/* Each takes from the front of `rest`; false when there is too little. */
bool conf_unpack_bytes(struct slice *rest, struct slice *bytes);
bool conf_unpack_u32(struct slice *rest, uint32_t *number);
bool conf_value_unpack(struct slice *rest, struct conf_value *out);
