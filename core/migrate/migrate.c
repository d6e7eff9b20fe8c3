/* migrate.c: see migrate.h. */
#include "migrate/migrate.h"
#include "migrate/migrate_db.h"
#include "migrate/migrate_report.h"
#include "migrate/migration_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Both sides: the folder and the table. */
struct migrating {
    const struct migrate_options *options;
    struct migration_set files;
    struct applied_set applied;
    struct report report;
    PGconn *conn;
};

static void clear(struct migrating *migrating)
{
    migration_set_clear(&migrating->files);
    applied_set_clear(&migrating->applied);
    PQfinish(migrating->conn);
}

static const char *state_of(const struct migrating *migrating, const struct migration *file)
{
    const struct applied *applied = applied_find(&migrating->applied, file->version);
    if (!applied)
        return "pending";
    return strcmp(applied->checksum, file->checksum) == 0 ? "applied" : "changed";
}

static bool has_file(const struct migrating *migrating, unsigned version)
{
    return version >= 1 && version <= migrating->files.count;
}

static void check_agreement(struct migrating *migrating)
{
    struct buf *problems = &migrating->report.problems;
    for (unsigned i = 0; i < migrating->files.count; i++)
        if (strcmp(state_of(migrating, &migrating->files.items[i]), "changed") == 0)
            buf_printf(problems,
                       "%s/%s:1: was changed after it was applied (expected as it was: change it "
                       "back and make a "
                       "new migration)\n",
                       migrating->options->folder, migrating->files.items[i].file);
    for (unsigned i = 0; i < migrating->applied.count; i++) {
        const struct applied *applied = &migrating->applied.items[i];
        if (!has_file(migrating, applied->version))
            buf_printf(problems,
                       "%s/%04u_%s.sql:1: is applied in the database but missing here (expected "
                       "this file: put it "
                       "back)\n",
                       migrating->options->folder, applied->version, applied->name);
    }
}

/* ---- up ---- */

static void apply_pending(struct migrating *migrating)
{
    for (unsigned i = 0; i < migrating->files.count; i++) {
        const struct migration *file = &migrating->files.items[i];
        struct report_item item = {.version = file->version, .name = file->name};
        if (applied_find(&migrating->applied, file->version))
            continue;
        if (migrate_db_apply(migrating->conn, migrating->options->folder, file,
                             &migrating->report.problems, &item.took_ms) != R_OK)
            return;
        report_item(&migrating->report, &item);
    }
}

static void run_up(struct migrating *migrating)
{
    struct buf *problems = &migrating->report.problems;
    if (migration_set_read(migrating->options->folder, &migrating->files, problems) != R_OK)
        return;
    migrating->conn = migrate_db_open(migrating->options->url, problems);
    if (!migrating->conn || migrate_db_lock(migrating->conn, problems) != R_OK ||
        migrate_db_make_table(migrating->conn, problems) != R_OK ||
        migrate_db_read(migrating->conn, &migrating->applied, problems) != R_OK)
        return;
    check_agreement(migrating);
    if (problems->len == 0)
        apply_pending(migrating);
}

int migrate_up(const struct migrate_options *options, struct buf *report)
{
    struct migrating migrating = {.options = options, .report = {.json = options->json}};
    run_up(&migrating);
    bool idle = migrating.report.items.len == 0 && migrating.report.problems.len == 0;
    if (idle && !options->json)
        buf_append_slice(&migrating.report.items, SLICE("nothing to do\n"));
    clear(&migrating);
    return report_finish(&migrating.report, "applied", "", report);
}

/* ---- status ---- */

static unsigned list_files(struct migrating *migrating)
{
    unsigned pending = 0;
    for (unsigned i = 0; i < migrating->files.count; i++) {
        const struct migration *file = &migrating->files.items[i];
        const struct applied *applied = applied_find(&migrating->applied, file->version);
        struct report_item item = {.version = file->version,
                                   .name = file->name,
                                   .state = state_of(migrating, file),
                                   .applied_at = applied ? applied->applied_at : "",
                                   .took_ms = applied ? applied->took_ms : -1};
        pending += applied == NULL;
        report_item(&migrating->report, &item);
    }
    return pending;
}

static void list_missing(struct migrating *migrating)
{
    for (unsigned i = 0; i < migrating->applied.count; i++) {
        const struct applied *applied = &migrating->applied.items[i];
        struct report_item item = {.version = applied->version,
                                   .name = applied->name,
                                   .state = "missing",
                                   .applied_at = applied->applied_at,
                                   .took_ms = applied->took_ms};
        if (!has_file(migrating, applied->version))
            report_item(&migrating->report, &item);
    }
}

int migrate_status(const struct migrate_options *options, struct buf *report)
{
    struct migrating migrating = {.options = options, .report = {.json = options->json}};
    struct buf *problems = &migrating.report.problems;
    unsigned pending = 0;
    migration_set_read(options->folder, &migrating.files, problems);
    migrating.conn = migrate_db_open(options->url, problems);
    if (migrating.conn && migrate_db_read(migrating.conn, &migrating.applied, problems) == R_OK) {
        pending = list_files(&migrating);
        list_missing(&migrating);
        check_agreement(&migrating);
        if (!options->json)
            buf_printf(&migrating.report.items, "%u applied, %u pending\n", migrating.applied.count,
                       pending);
    }
    clear(&migrating);
    char tail[32];
    snprintf(tail, sizeof tail, ",\"pending\":%u", pending);
    return report_finish(&migrating.report, "migrations", tail, report);
}

int migrate_count(const char *folder)
{
    struct migration_set files;
    struct buf problems = {0};
    bool sound = migration_set_read(folder, &files, &problems) == R_OK;
    int count = sound ? (int)files.count : -1;
    migration_set_clear(&files);
    buf_free(&problems);
    return count;
}

/* ---- new ---- */

static bool write_template(const char *path, struct buf *problems)
{
    static const char text[] = "-- What changes and why. Runs in one transaction with its row in"
                               " schema_migrations.\n";
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    bool written = fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1;
    if (!written)
        buf_printf(problems, "%s: %s\n", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return written;
}

static void make_file(const struct migrate_options *options, const char *name,
                      struct report *report)
{
    struct migration_set files;
    struct buf path = {0};
    if (!migration_name_is_valid(slice_cstr(name))) {
        buf_printf(&report->problems,
                   "%s: a name is up to 60 lower-case letters, digits and underscores\n", name);
        return;
    }
    enum result rc = migration_set_read(options->folder, &files, &report->problems);
    buf_printf(&path, "%s/%04u_%s.sql", options->folder, files.count + 1, name);
    if (rc == R_OK && write_template(buf_cstr(&path), &report->problems))
        report_file(report, buf_slice(&path));
    migration_set_clear(&files);
    buf_free(&path);
}

int migrate_new(const struct migrate_options *options, const char *name, struct buf *report)
{
    struct report made = {.json = options->json};
    make_file(options, name, &made);
    return report_finish(&made, "files", "", report);
}
