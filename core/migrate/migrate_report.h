/* migrate_report.h: what a migrate command has to say, as lines or as JSON. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>

struct report {
    bool json;
    struct buf items;    /* finished lines, or JSON objects with commas */
    struct buf problems; /* lines */
};

/* One migration. */
struct report_item {
    unsigned version;
    const char *name;
    const char *state;      /* NULL = not told */
    const char *applied_at; /* "" = null */
    long took_ms;           /* -1 = null */
};
void report_item(struct report *report, const struct report_item *item);
void report_file(struct report *report, struct slice path);
/* `tail` is further JSON members, with a leading comma, or "". Gives the exit status and frees the report. */
int report_finish(struct report *report, const char *list_name, const char *tail, struct buf *out);
