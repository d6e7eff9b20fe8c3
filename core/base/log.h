/* log.h: structured log lines, one JSON object each (text on a terminal in development).
 *
 *     log_warn("worker died", LOG_INT("pid", pid), LOG_STR("reason", reason));
 *
 * Messages are constant English phrases; everything variable is a field. Never put a secret in one.
 * Of the same warning or error, ten a second pass; beyond that it is counted for a minute and summed up in one line
 * with `repeated`. Info and debug lines are records (the access log) and always pass. */
#pragma once

#include "base/slice.h"

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *name; /* NULL ends the list */
    enum { LOG_FIELD_SLICE, LOG_FIELD_INT, LOG_FIELD_NUMBER, LOG_FIELD_RAW } kind;
    struct slice text; /* SLICE: escaped; RAW: already JSON */
    int64_t integer;
    double number;
};

#define LOG_STR(field, value)                                                                      \
    ((struct log_field){.name = (field), .kind = LOG_FIELD_SLICE, .text = slice_cstr(value)})
#define LOG_SLICE(field, value)                                                                    \
    ((struct log_field){.name = (field), .kind = LOG_FIELD_SLICE, .text = (value)})
#define LOG_INT(field, value)                                                                      \
    ((struct log_field){.name = (field), .kind = LOG_FIELD_INT, .integer = (int64_t)(value)})
#define LOG_NUM(field, value)                                                                      \
    ((struct log_field){.name = (field), .kind = LOG_FIELD_NUMBER, .number = (value)})
#define LOG_RAW(field, value)                                                                      \
    ((struct log_field){.name = (field), .kind = LOG_FIELD_RAW, .text = (value)})

/* `fields` ends with a field whose name is NULL. */
void log_emit(enum log_level level, const char *message, const struct log_field *fields);

#define LOG_FIELDS(...)         ((const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.name = NULL}})
#define log_debug(message, ...) log_emit(LOG_DEBUG, message, LOG_FIELDS(__VA_ARGS__))
#define log_info(message, ...)  log_emit(LOG_INFO, message, LOG_FIELDS(__VA_ARGS__))
#define log_warn(message, ...)  log_emit(LOG_WARN, message, LOG_FIELDS(__VA_ARGS__))
#define log_error(message, ...) log_emit(LOG_ERROR, message, LOG_FIELDS(__VA_ARGS__))

/* Where lines go. `path` NULL means stderr. Call log_reopen() after the file was rotated. */
void log_open(const char *path, enum log_level least, const char *process);
void log_reopen(void);
