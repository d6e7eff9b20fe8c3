/* migrate_db.h: the database side of migrations. Blocking libpq. */
#pragma once

#include "base/result.h"
#include "migrate/migration_files.h"

#include <libpq-fe.h>

/* A row of schema_migrations. */
struct applied {
    unsigned version;
    char *name;
    char checksum[65];
    char *applied_at;
    long took_ms;
};

struct applied_set {
    struct applied *items;
    unsigned count;
};

/* Every function that fails appends a line to `problems`. */
PGconn *migrate_db_open(const char *url,
                        struct buf *problems); /* NULL on failure; end with PQfinish */
/* One `fura migrate up` at a time; held until the connection ends. */
enum result migrate_db_lock(PGconn *conn, struct buf *problems);
enum result migrate_db_make_table(PGconn *conn, struct buf *problems);
/* An empty set when there is no table yet. */
enum result migrate_db_read(PGconn *conn, struct applied_set *out, struct buf *problems);
void applied_set_clear(struct applied_set *set);
const struct applied *applied_find(const struct applied_set *set, unsigned version);
/* Run one file and record it; `folder` is for messages. */
enum result migrate_db_apply(PGconn *conn, const char *folder, const struct migration *migration,
                             struct buf *problems, long *took_ms);
