/* migration_files.h: the folder migrations/: NNNN_name.sql, numbered from 0001 without gaps. */
#pragma once

#include "base/buf.h"
#include "base/result.h"

#include <stdbool.h>

struct migration {
    unsigned version;
    char *file; /* «0001_drivers.sql» */
    char *name; /* «drivers» */
    struct buf sql;
    char checksum[65];
    bool in_transaction; /* unless its first line is «-- fura: no transaction» */
};

struct migration_set {
    struct migration *items;
    unsigned count;
};

/* R_INVALID: `problems` has a line each, «file: message». Clear `out` in any case. */
enum result migration_set_read(const char *folder, struct migration_set *out, struct buf *problems);
void migration_set_clear(struct migration_set *set);
bool migration_name_is_valid(struct slice name);
