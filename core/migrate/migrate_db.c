/* migrate_db.c: see migrate_db.h. */
#include "migrate/migrate_db.h"
#include "base/clock.h"
#include "base/mem.h"
#include "migrate/sql_split.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LOCK_KEY = 0x46555241, LOCK_PATIENCE_MS = 60000, LOCK_POLL_MS = 100 };

static const char table_sql[] = "CREATE TABLE IF NOT EXISTS schema_migrations ("
                                "version integer PRIMARY KEY, name text NOT NULL,"
                                " checksum text NOT NULL CHECK (checksum ~ '^[0-9a-f]{64}$'),"
                                " applied_at timestamptz NOT NULL DEFAULT now(),"
                                " took_ms integer NOT NULL)";

/* Every file starts from the same session, and is recorded in it, whatever it or the one before had SET. */
static const char session_sql[] = "RESET ALL; SET DateStyle = ISO; SET TimeZone = UTC";

/* What failed and where, for messages. */
struct place {
    const char *folder;
    const struct migration *migration;
    struct sql_statement statement; /* without text: the file as a whole */
};

static void on_notice(void *owner, const PGresult *notice)
{
    (void)owner, (void)notice;
}

/* The first line of libpq's words. */
static void add_problem(struct buf *problems, const char *text)
{
    buf_printf(problems, "database: %.*s\n", (int)strcspn(text, "\n"), text);
}

static bool succeeded(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

static enum result run(PGconn *conn, const char *sql, struct buf *problems)
{
    PGresult *result = PQexec(conn, sql);
    enum result rc = succeeded(result) ? R_OK : R_REJECTED;
    if (rc != R_OK)
        add_problem(problems, PQerrorMessage(conn));
    PQclear(result);
    return rc;
}

PGconn *migrate_db_open(const char *url, struct buf *problems)
{
    PQconninfoOption *parsed = PQconninfoParse(url, NULL);
    if (!parsed) { /* libpq's own words would repeat the URL, and the password in it */
        buf_append_slice(problems, SLICE("database: the URL is not one libpq understands\n"));
        return NULL;
    }
    PQconninfoFree(parsed);
    const char *const keywords[] = {"dbname", "client_encoding", "connect_timeout", NULL};
    const char *const values[] = {url, "UTF8", "10", NULL};
    PGconn *conn = PQconnectdbParams(keywords, values, 1);
    PQsetNoticeReceiver(conn, on_notice, NULL);
    if (PQstatus(conn) == CONNECTION_OK && run(conn, session_sql, problems) == R_OK)
        return conn;
    if (PQstatus(conn) != CONNECTION_OK)
        add_problem(problems, PQerrorMessage(conn));
    PQfinish(conn);
    return NULL;
}

static bool try_lock(PGconn *conn)
{
    char sql[64];
    snprintf(sql, sizeof sql, "SELECT pg_try_advisory_lock(%d)", LOCK_KEY);
    PGresult *result = PQexec(conn, sql);
    bool locked = PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return locked;
}

/* Asked again and again, not waited for in the server: a waiting statement holds a snapshot, and CREATE INDEX
 * CONCURRENTLY of the one who has the lock would wait for that. */
enum result migrate_db_lock(PGconn *conn, struct buf *problems)
{
    for (int waited = 0; waited < LOCK_PATIENCE_MS; waited += LOCK_POLL_MS) {
        if (try_lock(conn))
            return R_OK;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_POLL_MS * 1000000L}, NULL);
    }
    buf_append_slice(problems, SLICE("database: another migrate has been running for a minute\n"));
    return R_TIMEOUT;
}

enum result migrate_db_make_table(PGconn *conn, struct buf *problems)
{
    return run(conn, table_sql, problems);
}

/* ---- what was applied ---- */

static void take_row(const PGresult *rows, int row, struct applied *out)
{
    out->version = (unsigned)strtoul(PQgetvalue(rows, row, 0), NULL, 10);
    out->name = mem_strdup(PQgetvalue(rows, row, 1));
    snprintf(out->checksum, sizeof out->checksum, "%s", PQgetvalue(rows, row, 2));
    out->applied_at = mem_strdup(PQgetvalue(rows, row, 3));
    out->took_ms = strtol(PQgetvalue(rows, row, 4), NULL, 10);
}

enum result migrate_db_read(PGconn *conn, struct applied_set *out, struct buf *problems)
{
    *out = (struct applied_set){0};
    PGresult *rows = PQexec(conn, "SELECT version, name, checksum, to_char(applied_at, "
                                  "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), took_ms"
                                  " FROM schema_migrations ORDER BY version");
    const char *state = PQresultErrorField(rows, PG_DIAG_SQLSTATE);
    bool no_table = state && strcmp(state, "42P01") == 0;
    enum result rc = succeeded(rows) || no_table ? R_OK : R_REJECTED;
    if (rc != R_OK)
        add_problem(problems, PQerrorMessage(conn));
    out->count = (unsigned)PQntuples(rows);
    out->items = mem_zalloc((out->count + 1) * sizeof *out->items);
    for (unsigned i = 0; i < out->count; i++)
        take_row(rows, (int)i, &out->items[i]);
    PQclear(rows);
    return rc;
}

void applied_set_clear(struct applied_set *set)
{
    for (unsigned i = 0; i < set->count; i++) {
        free(set->items[i].name);
        free(set->items[i].applied_at);
    }
    free(set->items);
    *set = (struct applied_set){0};
}

const struct applied *applied_find(const struct applied_set *set, unsigned version)
{
    for (unsigned i = 0; i < set->count; i++)
        if (set->items[i].version == version)
            return &set->items[i];
    return NULL;
}

/* ---- applying a file ---- */

static void refuse(const struct place *place, struct buf *problems, const char *text)
{
    buf_printf(problems, "%s/%s", place->folder, place->migration->file);
    if (place->statement.text.data)
        buf_printf(problems, ":%u",
                   sql_line(buf_slice(&place->migration->sql), place->statement.offset));
    buf_printf(problems, ": %s\n", text);
}

/* «migrations/0002_x.sql:17: relation "y" does not exist (42P01)» */
static void refuse_result(const struct place *place, struct buf *problems, const PGresult *result,
                          PGconn *conn)
{
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    struct place exact = *place;
    struct buf message = {0};
    if (position && place->statement.text.data)
        exact.statement.offset +=
            sql_byte_of(place->statement.text, strtoul(position, NULL, 10) - 1);
    if (text)
        buf_printf(&message, "%s (%s)", text, state);
    else
        buf_printf(&message, "%.*s", (int)strcspn(PQerrorMessage(conn), "\n"),
                   PQerrorMessage(conn));
    refuse(&exact, problems, buf_cstr(&message));
    buf_free(&message);
}

static enum result run_statement(PGconn *conn, const struct place *place, struct buf *problems)
{
    struct slice text = place->statement.text;
    char *sql = mem_strndup(text.data, text.len);
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    bool is_copy = status == PGRES_COPY_IN || status == PGRES_COPY_OUT;
    enum result rc = succeeded(result) ? R_OK : R_REJECTED;
    if (is_copy)
        refuse(place, problems, "COPY with the client is not possible here");
    else if (rc != R_OK)
        refuse_result(place, problems, result, conn);
    PQclear(result);
    free(sql);
    return rc;
}

/* Would end the transaction that holds the file together. */
static bool ends_transaction(struct slice word)
{
    static const char *const words[] = {"begin", "start", "commit", "end", "rollback", "abort"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_ieq(word, slice_cstr(words[i])))
            return true;
    return false;
}

static enum result check_statements(struct place *place, struct buf *problems)
{
    struct sql_cursor cursor = {buf_slice(&place->migration->sql), 0};
    while (sql_next(&cursor, &place->statement))
        if (ends_transaction(place->statement.word)) {
            refuse(place, problems, "a migration is one transaction already; take this out");
            return R_INVALID;
        }
    return R_OK;
}

static enum result run_statements(PGconn *conn, struct place *place, struct buf *problems)
{
    struct sql_cursor cursor = {buf_slice(&place->migration->sql), 0};
    while (sql_next(&cursor, &place->statement))
        if (run_statement(conn, place, problems) != R_OK)
            return R_REJECTED;
    place->statement = (struct sql_statement){0};
    return R_OK;
}

static enum result record(PGconn *conn, const struct place *place, long took_ms,
                          struct buf *problems)
{
    const struct migration *migration = place->migration;
    char version[16], took[24];
    snprintf(version, sizeof version, "%u", migration->version);
    snprintf(took, sizeof took, "%ld", took_ms);
    const char *const values[] = {version, migration->name, migration->checksum, took};
    PGresult *result = PQexecParams(conn,
                                    "INSERT INTO schema_migrations (version, name, checksum,"
                                    " took_ms) VALUES ($1, $2, $3, $4)",
                                    4, NULL, values, NULL, NULL, 0);
    enum result rc = succeeded(result) ? R_OK : R_REJECTED;
    if (rc != R_OK)
        refuse_result(place, problems, result, conn);
    PQclear(result);
    return rc;
}

/* COMMIT can fail too: deferred constraints are checked there. */
static enum result commit(PGconn *conn, const struct place *place, struct buf *problems)
{
    PGresult *result = PQexec(conn, "COMMIT");
    enum result rc = succeeded(result) ? R_OK : R_REJECTED;
    if (rc != R_OK)
        refuse_result(place, problems, result, conn);
    PQclear(result);
    return rc;
}

enum result migrate_db_apply(PGconn *conn, const char *folder, const struct migration *migration,
                             struct buf *problems, long *took_ms)
{
    struct place place = {.folder = folder, .migration = migration};
    struct buf ignored = {0};
    int64_t began = clock_monotonic_ms();
    enum result rc = check_statements(&place, problems);
    if (rc == R_OK && migration->in_transaction)
        rc = run(conn, "BEGIN", problems);
    if (rc == R_OK)
        rc = run_statements(conn, &place, problems);
    *took_ms = (long)(clock_monotonic_ms() - began);
    if (rc == R_OK)
        rc = run(conn, session_sql, problems);
    if (rc == R_OK)
        rc = record(conn, &place, *took_ms, problems);
    if (rc == R_OK && migration->in_transaction)
        rc = commit(conn, &place, problems);
    if (rc != R_OK && !migration->in_transaction)
        refuse(&place, problems, "it runs without a transaction: the statements before this stay");
    if (rc != R_OK)
        run(conn, "ROLLBACK", &ignored);
    buf_free(&ignored);
    return rc;
}
