/* test_migrate.c: migrations against a real server. Every test has an empty database and an empty folder. */
#include "base/buf.h"
#include "migrate/migrate.h"
#include "support/postgres_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct postgres_server *server;
static char folder[64];
static struct migrate_options options;
static struct buf report;

static void put(const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static void drop(const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
}

static const char *said(int (*command)(const struct migrate_options *, struct buf *), int status)
{
    buf_clear(&report);
    int got = command(&options, &report);
    if (got != status)
        print_error("%s", buf_cstr(&report));
    assert_int_equal(got, status);
    return buf_cstr(&report);
}

static void assert_says(const char *text, const char *part)
{
    if (!strstr(text, part))
        print_error("no «%s» in «%s»\n", part, text);
    assert_non_null(strstr(text, part));
}

static const char *ask(const char *sql)
{
    return postgres_server_ask(server, sql);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/fura-migrate-XXXXXX");
    assert_non_null(mkdtemp(folder));
    options = (struct migrate_options){.url = postgres_server_url(server), .folder = folder};
    ask("DROP SCHEMA public CASCADE");
    ask("CREATE SCHEMA public");
    return 0;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void files_are_applied_in_order_and_once(void **state)
{
    (void)state;
    put("0001_table.sql", "CREATE TABLE a (id int);\n");
    put("0002_row.sql", "INSERT INTO a VALUES (1); INSERT INTO a VALUES (2);");
    put("README.md", "not a migration");
    const char *text = said(migrate_up, 0);
    assert_says(text, "0001_table  applied");
    assert_says(text, "0002_row  applied");
    assert_string_equal(ask("SELECT count(*) FROM a"), "2");
    assert_string_equal(ask("SELECT string_agg(name, ',' ORDER BY version) FROM schema_migrations"),
                        "table,row");
    assert_says(said(migrate_up, 0), "nothing to do");
    assert_string_equal(ask("SELECT count(*) FROM a"), "2");
}

static void a_failing_statement_is_named_and_leaves_nothing_of_its_file(void **state)
{
    (void)state;
    put("0001_good.sql", "CREATE TABLE good (id int);");
    put("0002_bad.sql",
        "-- ёж\nCREATE TABLE half (id int);\n\nINSERT INTO half\n  SELECT 'ё', absent;\n");
    put("0003_later.sql", "CREATE TABLE later (id int);");
    assert_says(said(migrate_up, 1), "/0002_bad.sql:5: column \"absent\" does not exist (42703)");
    assert_string_equal(ask("SELECT to_regclass('good')"), "good");
    assert_string_equal(ask("SELECT to_regclass('half')"), "");
    assert_string_equal(ask("SELECT to_regclass('later')"), "");
    assert_string_equal(ask("SELECT count(*) FROM schema_migrations"), "1");
    put("0002_bad.sql", "CREATE TABLE half (id int);");
    said(migrate_up, 0);
    assert_string_equal(ask("SELECT to_regclass('later')"), "later");
}

static void a_failure_without_position_names_its_statement(void **state)
{
    (void)state;
    put("0001_dup.sql", "CREATE TABLE once (id int UNIQUE);\nINSERT INTO once VALUES (1);\n"
                        "INSERT INTO once\n VALUES (1);\n");
    assert_says(said(migrate_up, 1), "/0001_dup.sql:3: duplicate key");
    assert_string_equal(ask("SELECT to_regclass('once')"), "");
}

static void a_constraint_checked_at_commit_undoes_the_file(void **state)
{
    (void)state;
    put("0001_deferred.sql", "CREATE TABLE p (id int PRIMARY KEY);"
                             "CREATE TABLE c (p int REFERENCES p DEFERRABLE INITIALLY DEFERRED);"
                             "INSERT INTO c VALUES (7);");
    assert_says(said(migrate_up, 1), "/0001_deferred.sql: insert or update on table \"c\"");
    assert_string_equal(ask("SELECT to_regclass('p')"), "");
}

static void a_changed_applied_file_is_an_error(void **state)
{
    (void)state;
    put("0001_a.sql", "CREATE TABLE a (id int);");
    said(migrate_up, 0);
    put("0001_a.sql", "CREATE TABLE a (id bigint);");
    put("0002_b.sql", "CREATE TABLE b (id int);");
    assert_says(said(migrate_up, 1), "/0001_a.sql:1: was changed");
    assert_string_equal(ask("SELECT to_regclass('b')"), "");
    assert_says(said(migrate_status, 1), "0001_a  changed");
}

static void a_lost_applied_file_is_an_error(void **state)
{
    (void)state;
    put("0001_a.sql", "SELECT 1;");
    put("0002_b.sql", "SELECT 1;");
    said(migrate_up, 0);
    drop("0002_b.sql");
    assert_says(said(migrate_up, 1), "/0002_b.sql:1: is applied in the database but missing here");
}

static void wrong_numbers_and_names_are_errors(void **state)
{
    (void)state;
    put("0001_a.sql", "CREATE TABLE a (id int);");
    put("0003_c.sql", "SELECT 1;");
    put("0003_d.sql", "SELECT 1;");
    put("4_e.sql", "SELECT 1;");
    const char *text = said(migrate_up, 1);
    assert_says(text, "/0003_c.sql: number 0002 is missing before it");
    assert_says(text, "/0003_d.sql: number 0003 is used twice");
    assert_says(text, "/4_e.sql: not named like");
    assert_string_equal(ask("SELECT to_regclass('a')"), "");
    assert_int_equal(migrate_count(folder), -1);
}

static void transaction_control_is_refused(void **state)
{
    (void)state;
    put("0001_a.sql", "CREATE TABLE a (id int);\nCOMMIT;\nCREATE TABLE b (id int);");
    assert_says(said(migrate_up, 1), "/0001_a.sql:2: a migration is one transaction already");
    assert_string_equal(ask("SELECT to_regclass('a')"), "");
}

static void a_file_without_transaction_runs_what_cannot_be_in_one(void **state)
{
    (void)state;
    put("0001_a.sql", "CREATE TABLE a (id int);");
    put("0002_index.sql", "-- fura: no transaction\nCREATE INDEX CONCURRENTLY a_id ON a (id);\n"
                          "CREATE INDEX CONCURRENTLY a_id2 ON a (id);");
    said(migrate_up, 0);
    assert_string_equal(ask("SELECT to_regclass('a_id2')"), "a_id2");
    put("0003_fails.sql", "-- fura: no transaction\nSELECT 1;\nSELECT absent;");
    const char *text = said(migrate_up, 1);
    assert_says(text, "/0003_fails.sql:3: ");
    assert_says(text, "the statements before this stay");
    assert_string_equal(ask("SELECT count(*) FROM schema_migrations"), "2");
}

static void settings_of_one_file_do_not_reach_the_next(void **state)
{
    (void)state;
    put("0001_set.sql", "CREATE SCHEMA IF NOT EXISTS elsewhere; SET search_path = elsewhere;");
    put("0002_table.sql", "CREATE TABLE here (id int);");
    said(migrate_up, 0);
    assert_string_equal(ask("SELECT to_regclass('public.here')"), "here");
    ask("DROP SCHEMA elsewhere CASCADE");
}

static void two_at_once_apply_everything_once(void **state)
{
    (void)state;
    int status;
    put("0001_slow.sql", "CREATE TABLE a (id int); SELECT pg_sleep(0.3);");
    put("0002_row.sql", "INSERT INTO a VALUES (1);");
    pid_t other = fork();
    if (other == 0) {
        struct buf ignored = {0};
        int got = migrate_up(&options, &ignored);
        buf_free(&ignored);
        _exit(got);
    }
    said(migrate_up, 0);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_int_equal(status, 0);
    assert_string_equal(ask("SELECT count(*) FROM a"), "1");
}

static void status_tells_what_is_pending_and_changes_nothing(void **state)
{
    (void)state;
    put("0001_a.sql", "SELECT 1;");
    assert_says(said(migrate_status, 0), "0 applied, 1 pending");
    assert_string_equal(ask("SELECT to_regclass('schema_migrations')"), "");
    said(migrate_up, 0);
    put("0002_b.sql", "SELECT 1;");
    const char *text = said(migrate_status, 0);
    assert_says(text, "0001_a  applied 2");
    assert_says(text, "0002_b  pending");
    assert_int_equal(migrate_count(folder) - atol(ask(MIGRATE_APPLIED_SQL)), 1);
}

static void reports_are_json_on_request(void **state)
{
    (void)state;
    options.json = true;
    put("0001_a.sql", "SELECT 1;");
    assert_says(said(migrate_status, 0),
                "{\"migrations\":[{\"version\":1,\"name\":\"a\",\"state\":\"pending\","
                "\"applied_at\":null,\"took_ms\":null}],\"pending\":1,\"problems\":[]}\n");
    assert_says(said(migrate_up, 0), "{\"applied\":[{\"version\":1,\"name\":\"a\",\"took_ms\":");
    put("0001_a.sql", "SELECT \"x\";");
    assert_says(said(migrate_up, 1), "\"problems\":[\"");
}

static void new_makes_the_next_file(void **state)
{
    (void)state;
    char path[160];
    put("0001_a.sql", "SELECT 1;");
    buf_clear(&report);
    assert_int_equal(migrate_new(&options, "add_things", &report), 0);
    snprintf(path, sizeof path, "%s/0002_add_things.sql\n", folder);
    assert_string_equal(buf_cstr(&report), path);
    said(migrate_up, 0);
    assert_int_equal(migrate_count(folder), 2);
    buf_clear(&report);
    assert_int_equal(migrate_new(&options, "Bad name", &report), 1);
    assert_int_equal(migrate_new(&options, "../up", &report), 1);
}

static void an_absent_database_fails_without_telling_the_password(void **state)
{
    (void)state;
    options.url = "postgresql://u:hush-hush@/x?host=/nonexistent";
    assert_null(strstr(said(migrate_up, 1), "hush-hush"));
    options.url = "postgresql://u:hush-hush@h/x?nonsense=1";
    assert_null(strstr(said(migrate_up, 1), "hush-hush"));
}

static int start_server(void **state)
{
    (void)state;
    server = postgres_server_start(NULL);
    return 0;
}

static int end_server(void **state)
{
    (void)state;
    postgres_server_end(server);
    buf_free(&report);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_are_applied_in_order_and_once),
        TEST(a_failing_statement_is_named_and_leaves_nothing_of_its_file),
        TEST(a_failure_without_position_names_its_statement),
        TEST(a_constraint_checked_at_commit_undoes_the_file),
        TEST(a_changed_applied_file_is_an_error),
        TEST(a_lost_applied_file_is_an_error),
        TEST(wrong_numbers_and_names_are_errors),
        TEST(transaction_control_is_refused),
        TEST(a_file_without_transaction_runs_what_cannot_be_in_one),
        TEST(settings_of_one_file_do_not_reach_the_next),
        TEST(two_at_once_apply_everything_once),
        TEST(status_tells_what_is_pending_and_changes_nothing),
        TEST(reports_are_json_on_request),
        TEST(new_makes_the_next_file),
        TEST(an_absent_database_fails_without_telling_the_password),
    };
    return cmocka_run_group_tests(tests, start_server, end_server);
}
