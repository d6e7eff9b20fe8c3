/* migrate.h: the work behind `fura migrate`: numbered SQL files, applied in order and recorded with their checksum in
 * schema_migrations. A command-line step: it blocks. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>

struct migrate_options {
    const char *url;    /* a direct connection: the lock is a session's */
    const char *folder; /* migrations/ */
    bool json;          /* the report is one JSON object instead of lines */
};

/* Each gives the exit status, 0 or 1, and appends to `report` what to print.
 *
 * up: applies what is pending, each file in one transaction with its row, one `migrate` at a time. A changed applied
 * file, a gap or a duplicate number is an error before anything runs. A failing statement is named as file:line and
 * leaves nothing of its file. A file whose first line is «-- fura: no transaction» runs statement by statement,
 * for CREATE INDEX CONCURRENTLY.
 * JSON: {"applied":[{"version":1,"name":"drivers","took_ms":12}],"problems":["…"]} */
int migrate_up(const struct migrate_options *options, struct buf *report);
/* JSON: {"migrations":[{"version":1,"name":"drivers","state":"applied|pending|changed|missing",
 * "applied_at":"…"|null,"took_ms":12|null}],"pending":0,"problems":[]}. 1 when something is wrong, not when
 * something is pending. */
int migrate_status(const struct migrate_options *options, struct buf *report);
/* Makes an empty file with the next number. JSON: {"files":["…"],"problems":[]} */
int migrate_new(const struct migrate_options *options, const char *name, struct buf *report);

/* For readiness, which asks without blocking: pending = migrate_count() − the one number this statement gives; when
 * it fails with sqlstate_42P01 (no such table) all are pending. */
#define MIGRATE_APPLIED_SQL "SELECT count(*) FROM schema_migrations"
int migrate_count(const char *folder); /* −1 when the folder is not sound */
