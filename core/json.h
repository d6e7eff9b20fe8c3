/* json.h: just enough JSON for the control socket: finding members of one object without a parse
 * tree, and writing. Values are borrowed spans of the text they were found in. Application JSON is
 * bind_json's business. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Is the text one well-formed JSON value, at most 64 levels deep? Everything below expects that. */
bool json_valid(struct slice text);

/* The raw value of an object's member; false when absent or `object` is none. */
bool json_find(struct slice object, const char *name, struct slice *value);
/* Walk a list: `at` starts as 0 and is private; false at its end. */
bool json_next(struct slice list, size_t *at, struct slice *item);
/* Append the text of a string value; false (and nothing appended) when it is another kind. */
bool json_text(struct slice value, struct buf *out);
/* Shorthands over json_find; `fallback` when absent or of another kind. */
bool json_find_text(struct slice object, const char *name, struct buf *out);
double json_find_number(struct slice object, const char *name, double fallback);
long long json_find_integer(struct slice object, const char *name); /* 0 when absent */
bool json_find_bool(struct slice object, const char *name, bool fallback);

/* Append `"name":` with a comma before it unless an object or a list was just opened. */
void json_put_name(struct buf *out, const char *name);
void json_put_member(struct buf *out, const char *name, struct slice text);
void json_put_integer(struct buf *out, const char *name, int64_t value);
void json_put_bool(struct buf *out, const char *name, bool value);
/* A list with the lines of a text. */
void json_put_lines(struct buf *out, const char *name, struct slice text);
/* Append the comma between list items where one is due. */
void json_put_comma(struct buf *out);

/* Append a whole answer that says no: {"ok":false,"error":…}, with a stable `code` unless it is NULL. */
void json_refuse(struct buf *out, struct slice error, const char *code);
/* The same about sources that are no generation: a line each. */
void json_refuse_sources(struct buf *out, struct slice problems);
