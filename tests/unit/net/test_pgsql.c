/* test_pgsql.c: the PostgreSQL driver against a real server that is killed, restarted and made
 * slow. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/pgsql.h"
#include "support/patience.h"
#include "support/postgres_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { QUERY_MS = 10000 };

static struct postgres_server *server;
static struct loop *loop;
static struct pgsql *pgsql;

/* What a query, or the wish for a lease, came to. */
struct outcome {
    bool came;
    unsigned times;
    enum result rc;
    char code[48], text[400], constraint[64], value[64], command[32];
    bool is_null;
    unsigned rows, columns;
    int64_t affected;
    struct pgsql_lease *lease;
};

static unsigned outstanding; /* accepted operations without an answer yet */

static void take_failure(struct outcome *outcome, const struct failure *why)
{
    snprintf(outcome->code, sizeof outcome->code, "%s", why->code);
    snprintf(outcome->text, sizeof outcome->text, "%s", why->text);
    snprintf(outcome->constraint, sizeof outcome->constraint, "%s", pgsql_constraint(why));
    assert_int_equal(why->rc, outcome->rc);
}

static void take_rows(struct outcome *outcome, const struct pgsql_result *result)
{
    outcome->rows = pgsql_rows(result);
    outcome->columns = pgsql_columns(result);
    outcome->affected = pgsql_affected(result);
    snprintf(outcome->command, sizeof outcome->command, "%s", pgsql_command(result).data);
    if (outcome->rows == 0 || outcome->columns == 0)
        return;
    struct slice value = pgsql_value(result, 0, 0);
    outcome->is_null = !value.data;
    snprintf(outcome->value, sizeof outcome->value, "%.*s", (int)value.len,
             value.data ? value.data : "");
}

static void on_done(void *owner, enum result rc, const struct pgsql_result *result,
                    const struct failure *why)
{
    struct outcome *outcome = owner;
    outcome->came = true;
    outcome->times++;
    outcome->rc = rc;
    outstanding--;
    if (rc == R_OK)
        take_rows(outcome, result);
    else
        take_failure(outcome, why);
}

static void on_granted(void *owner, enum result rc, struct pgsql_lease *lease,
                       const struct failure *why)
{
    struct outcome *outcome = owner;
    outcome->came = true;
    outcome->times++;
    outcome->rc = rc;
    outcome->lease = lease;
    outstanding--;
    if (rc != R_OK)
        take_failure(outcome, why);
}

static bool has_come(const void *of)
{
    return ((const struct outcome *)of)->came;
}

static bool all_answered(const void *of)
{
    (void)of;
    return outstanding == 0;
}

static bool is_up(const void *of)
{
    return pgsql_is_up(of);
}

static bool is_down(const void *of)
{
    return !pgsql_is_up(of);
}

static bool is_quiet(const void *of)
{
    unsigned idle, busy, waiting;
    pgsql_stats(of, &idle, &busy, &waiting);
    return idle > 0 && busy == 0 && waiting == 0;
}

/* A condition on the server's side. */
static bool server_says_true(const void *of)
{
    return postgres_server_ask(server, of)[0] == 't';
}

/* ---- short forms ---- */

static void open_pool_at(const char *url, unsigned size, unsigned max_waiting)
{
    struct failure why;
    struct pgsql_options options = {.url = url,
                                    .pool_size = size,
                                    .max_waiting = max_waiting,
                                    .connect_timeout_ms = 3000,
                                    .application_name = "fura-test"};
    assert_int_equal(pgsql_open(loop, &options, &pgsql, &why), R_OK);
}

static void open_pool(unsigned size, unsigned max_waiting)
{
    open_pool_at(postgres_server_url(server), size, max_waiting);
    patience_until(loop, is_up, pgsql);
}

static enum result start(struct outcome *outcome, const char *sql, unsigned timeout_ms)
{
    *outcome = (struct outcome){0};
    enum result rc = pgsql_query(pgsql, slice_cstr(sql), NULL, 0, timeout_ms, on_done, outcome);
    assert_false(outcome->came); /* never inside the call */
    outstanding += rc == R_OK;
    return rc;
}

static void ask(struct outcome *outcome, const char *sql)
{
    assert_int_equal(start(outcome, sql, QUERY_MS), R_OK);
    patience_until(loop, has_come, outcome);
}

static enum result start_lease(struct outcome *outcome, unsigned timeout_ms)
{
    *outcome = (struct outcome){0};
    enum result rc = pgsql_lease(pgsql, timeout_ms, on_granted, outcome);
    assert_false(outcome->came);
    outstanding += rc == R_OK;
    return rc;
}

static struct pgsql_lease *lease(void)
{
    struct outcome outcome;
    assert_int_equal(start_lease(&outcome, QUERY_MS), R_OK);
    patience_until(loop, has_come, &outcome);
    assert_non_null(outcome.lease);
    return outcome.lease;
}

static enum result start_in(struct pgsql_lease *in, struct outcome *outcome, const char *sql,
                            unsigned timeout_ms)
{
    *outcome = (struct outcome){0};
    enum result rc = pgsql_lease_query(in, slice_cstr(sql), NULL, 0, timeout_ms, on_done, outcome);
    assert_false(outcome->came);
    outstanding += rc == R_OK;
    return rc;
}

static void ask_in(struct pgsql_lease *in, struct outcome *outcome, const char *sql)
{
    assert_int_equal(start_in(in, outcome, sql, QUERY_MS), R_OK);
    patience_until(loop, has_come, outcome);
}

static int set_up(void **state)
{
    (void)state;
    loop = loop_new();
    outstanding = 0;
    pgsql = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pgsql_close(pgsql);
    assert_int_equal(outstanding, 0);
    loop_free(loop);
    return 0;
}

/* ---- statements ---- */

static void parameters_arrive_as_they_are(void **state)
{
    (void)state;
    struct outcome outcome = {0};
    const struct pgsql_param params[] = {
        {SLICE("O'Brien \"x\" \\ ёж 🚚"), 0}, {{NULL, 0}, 0}, {SLICE(""), 0}, {SLICE("42"), 23}};
    open_pool(1, 10);
    assert_int_equal(
        pgsql_query(pgsql,
                    SLICE("SELECT $1::text || ($2::text IS NULL)::text || length($3::text)"
                          " || ($4 + 1)"),
                    params, 4, QUERY_MS, on_done, &outcome),
        R_OK);
    outstanding++;
    patience_until(loop, has_come, &outcome);
    assert_int_equal(outcome.rc, R_OK);
    assert_string_equal(outcome.value, "O'Brien \"x\" \\ ёж 🚚true043");
}

static void a_parameter_larger_than_every_buffer_arrives_whole(void **state)
{
    (void)state;
    enum { SIZE = 20 * 1000 * 1000 };
    struct outcome outcome = {0};
    char *text = mem_alloc(SIZE);
    memset(text, 'x', SIZE);
    const struct pgsql_param param = {slice_of(text, SIZE), 0};
    open_pool(1, 10);
    assert_int_equal(
        pgsql_query(pgsql, SLICE("SELECT length($1), $1"), &param, 1, QUERY_MS, on_done, &outcome),
        R_OK);
    outstanding++;
    free(text);
    patience_until(loop, has_come, &outcome);
    assert_int_equal(outcome.rc, R_OK);
    assert_string_equal(outcome.value, "20000000");
}

static void a_null_value_differs_from_an_empty_one(void **state)
{
    (void)state;
    struct outcome outcome;
    open_pool(1, 10);
    ask(&outcome, "SELECT NULL");
    assert_true(outcome.is_null);
    ask(&outcome, "SELECT ''");
    assert_false(outcome.is_null);
    assert_string_equal(outcome.value, "");
}

static void a_text_with_a_nul_byte_is_refused(void **state)
{
    (void)state;
    struct outcome outcome = {0};
    const struct pgsql_param param = {SLICE("a\0b"), 0};
    open_pool(1, 10);
    assert_int_equal(pgsql_query(pgsql, SLICE("SELECT $1"), &param, 1, QUERY_MS, on_done, &outcome),
                     R_INVALID);
}

static void changed_rows_are_counted(void **state)
{
    (void)state;
    struct outcome outcome;
    open_pool(1, 10);
    ask(&outcome, "CREATE TABLE counted (id int PRIMARY KEY)");
    ask(&outcome, "INSERT INTO counted SELECT generate_series(1, 7)");
    assert_int_equal(outcome.affected, 7);
    ask(&outcome, "DELETE FROM counted WHERE id > 4");
    assert_int_equal(outcome.affected, 3);
}

static void ten_thousand_rows_arrive_whole(void **state)
{
    (void)state;
    struct outcome outcome;
    open_pool(1, 10);
    ask(&outcome, "SELECT n, repeat('x', 200) FROM generate_series(1, 10000) n");
    assert_int_equal(outcome.rc, R_OK);
    assert_int_equal(outcome.rows, 10000);
    assert_int_equal(outcome.columns, 2);
}

static void a_refusal_carries_sqlstate_and_constraint(void **state)
{
    (void)state;
    struct outcome outcome;
    open_pool(1, 10);
    ask(&outcome, "CREATE TABLE named (id int CONSTRAINT named_only_once UNIQUE)");
    ask(&outcome, "INSERT INTO named VALUES (1)");
    ask(&outcome, "INSERT INTO named VALUES (1)");
    assert_int_equal(outcome.rc, R_REJECTED);
    assert_string_equal(outcome.code, "sqlstate_23505");
    assert_string_equal(outcome.constraint, "named_only_once");
    ask(&outcome, "SELEC 1");
    assert_string_equal(outcome.code, "sqlstate_42601");
    assert_string_equal(outcome.constraint, "");
}

static void times_are_iso_and_utc_whatever_the_role_prefers(void **state)
{
    (void)state;
    struct outcome outcome;
    postgres_server_ask(server, "ALTER ROLE fura SET datestyle = 'German'");
    postgres_server_ask(server, "ALTER ROLE fura SET timezone = 'Asia/Tokyo'");
    open_pool(1, 10);
    ask(&outcome, "SELECT '2026-03-01 12:00:00+03'::timestamptz");
    assert_string_equal(outcome.value, "2026-03-01 09:00:00+00");
    postgres_server_ask(server, "ALTER ROLE fura RESET ALL");
}

static void copy_fails_and_the_pool_heals(void **state)
{
    (void)state;
    struct outcome outcome;
    open_pool(1, 10);
    ask(&outcome, "COPY (SELECT 1) TO STDOUT");
    assert_int_equal(outcome.rc, R_CLOSED);
    patience_until(loop, is_up, pgsql);
    ask(&outcome, "SELECT 1");
    assert_int_equal(outcome.rc, R_OK);
}

/* ---- pipelining and limits ---- */

static void a_failing_statement_leaves_its_neighbours_alone(void **state)
{
    (void)state;
    struct outcome before, failing, after;
    open_pool(1, 10);
    ask(&before, "CREATE TABLE neighbours (id int)");
    start(&before, "INSERT INTO neighbours VALUES (1)", QUERY_MS);
    start(&failing, "SELECT 1 / 0", QUERY_MS);
    start(&after, "INSERT INTO neighbours VALUES (2)", QUERY_MS);
    patience_until(loop, all_answered, NULL);
    assert_int_equal(before.rc, R_OK);
    assert_string_equal(failing.code, "sqlstate_22012");
    assert_int_equal(after.rc, R_OK);
    ask(&after, "SELECT count(*) FROM neighbours");
    assert_string_equal(after.value, "2");
}

static void many_callers_share_few_connections(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    struct outcome *outcomes = mem_zalloc(COUNT * sizeof *outcomes);
    open_pool(3, COUNT);
    for (int i = 0; i < COUNT; i++) {
        char sql[32];
        snprintf(sql, sizeof sql, "SELECT %d", i);
        assert_int_equal(start(&outcomes[i], sql, QUERY_MS), R_OK);
    }
    patience_until(loop, all_answered, NULL);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(outcomes[i].rc, R_OK);
        assert_int_equal(outcomes[i].times, 1);
        assert_int_equal(strtol(outcomes[i].value, NULL, 10), i);
    }
    const char *used = postgres_server_ask(server, "SELECT count(*) <= 3 FROM pg_stat_activity"
                                                   " WHERE application_name = 'fura-test'");
    assert_string_equal(used, "t");
    free(outcomes);
}

static void nobody_queues_behind_a_slow_statement(void **state)
{
    (void)state;
    struct outcome slow, warm, quick;
    open_pool(2, 10);
    start(&slow, "SELECT pg_sleep(0.5)", QUERY_MS);
    ask(&warm, "SELECT 1"); /* the pool grows for it */
    ask(&quick, "SELECT 2");
    assert_false(slow.came);
    patience_until(loop, has_come, &slow);
}

static void a_full_queue_refuses_at_once(void **state)
{
    (void)state;
    struct outcome waiting[3], refused;
    open_pool(1, 2);
    struct pgsql_lease *only = lease();
    assert_int_equal(start(&waiting[0], "SELECT 1", QUERY_MS), R_OK);
    assert_int_equal(start(&waiting[1], "SELECT 1", QUERY_MS), R_OK);
    assert_int_equal(start(&refused, "SELECT 1", QUERY_MS), R_OVERLOADED);
    assert_int_equal(start_lease(&refused, QUERY_MS), R_OVERLOADED);
    pgsql_lease_end(only);
    patience_until(loop, all_answered, NULL);
    assert_int_equal(waiting[0].rc, R_OK);
    assert_int_equal(waiting[1].rc, R_OK);
    assert_int_equal(refused.times, 0);
}

static void waiting_for_a_connection_counts_against_the_timeout(void **state)
{
    (void)state;
    struct outcome query, wish;
    open_pool(1, 10);
    struct pgsql_lease *only = lease();
    start(&query, "SELECT 1", 30);
    start_lease(&wish, 30);
    patience_until(loop, all_answered, NULL);
    assert_int_equal(query.rc, R_TIMEOUT);
    assert_int_equal(wish.rc, R_TIMEOUT);
    assert_null(wish.lease);
    pgsql_lease_end(only);
}

/* ---- timeouts ---- */

static void a_timeout_is_told_at_once_and_stops_the_server(void **state)
{
    (void)state;
    struct outcome slow, next;
    open_pool(1, 10);
    int64_t began = clock_monotonic_ms();
    start(&slow, "SELECT pg_sleep(30), 'timeout-1'", 100);
    patience_until(loop, has_come, &slow);
    assert_int_equal(slow.rc, R_TIMEOUT);
    assert_in_range(clock_monotonic_ms() - began, 90, 2000);
    patience_until(loop, server_says_true,
                   "SELECT count(*) = 0 FROM pg_stat_activity"
                   " WHERE state = 'active' AND query LIKE '%timeout-1%'"
                   " AND pid <> pg_backend_pid()");
    ask(&next, "SELECT 7");
    assert_string_equal(next.value, "7");
    assert_int_equal(slow.times, 1);
}

static void a_timeout_does_not_hit_the_statements_behind_it(void **state)
{
    (void)state;
    struct outcome slow, behind[5];
    open_pool(1, 10);
    ask(&slow, "CREATE TABLE behind (id int)");
    start(&slow, "SELECT pg_sleep(30)", 150);
    for (int i = 0; i < 5; i++)
        start(&behind[i], "INSERT INTO behind VALUES (1)", QUERY_MS);
    patience_until(loop, all_answered, NULL);
    assert_int_equal(slow.rc, R_TIMEOUT);
    for (int i = 0; i < 5; i++)
        assert_int_equal(behind[i].rc, R_OK);
    ask(&slow, "SELECT count(*) FROM behind");
    assert_string_equal(slow.value, "5");
}

static void a_statement_that_times_out_in_line_does_not_stop_the_one_ahead(void **state)
{
    (void)state;
    struct outcome ahead, impatient;
    open_pool(1, 10);
    start(&ahead, "SELECT pg_sleep(0.4), 1", QUERY_MS);
    start(&impatient, "SELECT pg_sleep(30)", 50);
    patience_until(loop, all_answered, NULL);
    assert_int_equal(impatient.rc, R_TIMEOUT);
    assert_int_equal(ahead.rc, R_OK);
    patience_until(loop, is_quiet,
                   pgsql); /* and the impatient one is stopped when its turn comes */
    assert_int_equal(impatient.times, 1);
}

/* ---- leases ---- */

static void a_lease_has_its_connection_alone(void **state)
{
    (void)state;
    struct outcome mine, other;
    open_pool(2, 10);
    struct pgsql_lease *tx = lease();
    ask_in(tx, &mine, "BEGIN");
    ask_in(tx, &mine, "CREATE TABLE alone (id int)");
    ask(&other, "SELECT to_regclass('alone')");
    assert_true(other.is_null);
    ask_in(tx, &mine, "COMMIT");
    pgsql_lease_end(tx);
    ask(&other, "SELECT to_regclass('alone')");
    assert_string_equal(other.value, "alone");
}

static void an_open_transaction_is_rolled_back_at_the_end_of_a_lease(void **state)
{
    (void)state;
    struct outcome outcome;
    open_pool(1, 10);
    ask(&outcome, "CREATE TABLE undone (id int)");
    struct pgsql_lease *tx = lease();
    ask_in(tx, &outcome, "BEGIN");
    ask_in(tx, &outcome, "INSERT INTO undone VALUES (1)");
    pgsql_lease_end(tx);
    ask(&outcome, "SELECT count(*) FROM undone"); /* the only connection: clean again */
    assert_string_equal(outcome.value, "0");
    ask(&outcome, "INSERT INTO undone VALUES (2)");
    ask(&outcome, "SELECT count(*) FROM undone");
    assert_string_equal(outcome.value, "1");
}

static void a_lease_ended_early_stops_what_it_runs(void **state)
{
    (void)state;
    struct outcome slow, next;
    open_pool(1, 10);
    struct pgsql_lease *tx = lease();
    ask_in(tx, &slow, "BEGIN");
    start_in(tx, &slow, "SELECT pg_sleep(30), 'early-1'", QUERY_MS * 3);
    patience_until(loop, server_says_true,
                   "SELECT count(*) = 1 FROM pg_stat_activity WHERE state = 'active'"
                   " AND query LIKE '%early-1%' AND pid <> pg_backend_pid()");
    pgsql_lease_end(tx);
    patience_until(loop, has_come, &slow);
    assert_int_equal(slow.rc, R_CANCELLED);
    ask(&next, "SELECT 5");
    assert_string_equal(next.value, "5");
}

static void a_lease_with_a_timeout_can_no_longer_commit(void **state)
{
    (void)state;
    struct outcome outcome, late;
    open_pool(1, 10);
    struct pgsql_lease *tx = lease();
    ask_in(tx, &outcome, "BEGIN");
    start_in(tx, &outcome, "SELECT pg_sleep(30)", 50);
    patience_until(loop, has_come, &outcome);
    assert_int_equal(outcome.rc, R_TIMEOUT);
    assert_int_equal(start_in(tx, &late, "COMMIT", QUERY_MS), R_CLOSED);
    pgsql_lease_end(tx);
    ask(&outcome, "SELECT 1");
    assert_int_equal(outcome.rc, R_OK);
}

static void a_commit_that_comes_too_late_says_rollback(void **state)
{
    (void)state;
    struct outcome outcome;
    open_pool(1, 10);
    struct pgsql_lease *tx = lease();
    ask_in(tx, &outcome, "BEGIN");
    ask_in(tx, &outcome, "SELECT 1 / 0");
    assert_int_equal(outcome.rc, R_REJECTED);
    ask_in(tx, &outcome, "COMMIT");
    assert_int_equal(outcome.rc, R_OK);
    assert_string_equal(outcome.command, "ROLLBACK");
    pgsql_lease_end(tx);
}

static void on_end_lease(void *owner, enum result rc, const struct pgsql_result *result,
                         const struct failure *why)
{
    (void)rc, (void)result, (void)why;
    outstanding--;
    pgsql_lease_end(owner);
}

static void a_lease_may_end_inside_a_callback(void **state)
{
    (void)state;
    struct outcome next;
    open_pool(1, 10);
    struct pgsql_lease *tx = lease();
    outstanding++;
    assert_int_equal(pgsql_lease_query(tx, SLICE("BEGIN"), NULL, 0, QUERY_MS, on_end_lease, tx),
                     R_OK);
    ask(&next, "SELECT 5");
    assert_string_equal(next.value, "5");
}

static void a_transaction_begun_outside_a_lease_does_not_spread(void **state)
{
    (void)state;
    struct outcome outcome;
    open_pool(1, 10);
    ask(&outcome, "BEGIN");
    patience_until(loop, is_down, pgsql);
    patience_until(loop, is_up, pgsql);
    ask(&outcome, "SELECT pg_current_xact_id_if_assigned() IS NULL");
    assert_string_equal(outcome.value, "t");
}

/* ---- a failing world ---- */

static void a_killed_backend_costs_only_what_it_ran(void **state)
{
    (void)state;
    struct outcome victim, behind, next;
    open_pool(1, 10);
    start(&victim, "SELECT pg_terminate_backend(pg_backend_pid())", QUERY_MS);
    start(&behind, "SELECT 'moved'", QUERY_MS);
    patience_until(loop, all_answered, NULL);
    assert_int_equal(victim.rc, R_CLOSED);
    assert_string_equal(behind.value, "moved");
    ask(&next, "SELECT 1");
    assert_int_equal(next.rc, R_OK);
}

static void an_idle_backend_killed_unnoticed_costs_nothing(void **state)
{
    (void)state;
    struct outcome outcome;
    open_pool(1, 10);
    /* The loop does not run meanwhile, so the driver learns of it only when it wants to send. */
    postgres_server_ask(server, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                                " WHERE application_name = 'fura-test'");
    ask(&outcome, "SELECT 'moved'");
    assert_int_equal(outcome.rc, R_OK);
    assert_string_equal(outcome.value, "moved");
}

static void a_killed_server_heals_by_itself(void **state)
{
    (void)state;
    struct outcome running, refused, after;
    open_pool(3, 10);
    start(&running, "SELECT pg_sleep(30)", QUERY_MS * 3);
    struct pgsql_lease *tx = lease();
    postgres_server_kill(server);
    patience_until(loop, has_come, &running);
    assert_int_equal(running.rc, R_CLOSED);
    patience_until(loop, is_down, pgsql);
    assert_int_equal(start_in(tx, &refused, "COMMIT", QUERY_MS), R_CLOSED);
    pgsql_lease_end(tx);
    postgres_server_resume(server);
    patience_until(loop, is_up, pgsql);
    ask(&after, "SELECT 'back'");
    assert_string_equal(after.value, "back");
}

static void a_stopped_server_is_refused_at_once(void **state)
{
    (void)state;
    struct outcome waiting, after;
    open_pool(2, 10);
    postgres_server_stop(server);
    start(&waiting, "SELECT 1", QUERY_MS);
    patience_until(loop, has_come, &waiting);
    assert_int_equal(waiting.rc, R_UNAVAILABLE);
    assert_int_equal(start(&waiting, "SELECT 1", QUERY_MS), R_UNAVAILABLE);
    postgres_server_resume(server);
    patience_until(loop, is_up, pgsql);
    ask(&after, "SELECT 1");
    assert_int_equal(after.rc, R_OK);
}

static void a_missing_database_is_denied(void **state)
{
    (void)state;
    char url[200];
    struct outcome outcome;
    snprintf(url, sizeof url, "postgresql://fura:hush-hush@/absent?host=%s",
             postgres_server_folder(server));
    open_pool_at(url, 2, 10);
    assert_int_equal(start(&outcome, "SELECT 1", QUERY_MS), R_OK);
    patience_until(loop, has_come, &outcome);
    assert_int_equal(outcome.rc, R_DENIED);
    assert_string_equal(outcome.code, "sqlstate_3D000");
    assert_null(strstr(outcome.text, "hush-hush"));
    assert_int_equal(start(&outcome, "SELECT 1", QUERY_MS), R_DENIED);
}

static void the_next_host_is_tried_when_one_is_away(void **state)
{
    (void)state;
    char url[200];
    struct outcome outcome;
    snprintf(url, sizeof url, "postgresql://fura@/postgres?host=/nonexistent,%s",
             postgres_server_folder(server));
    open_pool_at(url, 1, 10);
    patience_until(loop, is_up, pgsql);
    ask(&outcome, "SELECT 'second'");
    assert_string_equal(outcome.value, "second");
}

static void a_name_is_resolved_and_a_refusing_host_skipped(void **state)
{
    (void)state;
    char url[200];
    struct outcome outcome;
    snprintf(url, sizeof url, "postgresql://fura@/postgres?host=localhost,%s&port=1,5432",
             postgres_server_folder(server));
    open_pool_at(url, 1, 10);
    patience_until(loop, is_up, pgsql);
    ask(&outcome, "SELECT 'second'");
    assert_string_equal(outcome.value, "second");
}

static void a_server_that_only_hangs_up_is_not_hammered(void **state)
{
    (void)state;
    struct outcome outcome;
    int64_t began = clock_monotonic_ms();
    open_pool(1, 10);
    for (unsigned lost = 0; lost < 4; lost++) {
        patience_until(loop, is_up, pgsql);
        start(&outcome, "SELECT pg_terminate_backend(pg_backend_pid())", QUERY_MS);
        patience_until(loop, has_come, &outcome);
        patience_until(loop, is_down, pgsql);
    }
    assert_true(clock_monotonic_ms() - began >= 3 * 50); /* three pauses of at least 50 ms */
}

static void an_unusable_url_is_refused_without_repeating_it(void **state)
{
    (void)state;
    struct failure why;
    struct pgsql_options options = {.url = "postgresql://u:hush-hush@h/db?nonsense=1"};
    assert_int_equal(pgsql_open(loop, &options, &pgsql, &why), R_INVALID);
    assert_null(strstr(why.text, "hush-hush"));
}

static void closing_answers_everybody(void **state)
{
    (void)state;
    struct outcome running, waiting, wish;
    open_pool(1, 10);
    struct pgsql_lease *tx = lease();
    start_in(tx, &running, "SELECT pg_sleep(30)", QUERY_MS);
    start(&waiting, "SELECT 1", QUERY_MS);
    start_lease(&wish, QUERY_MS);
    pgsql_close(pgsql);
    pgsql = NULL;
    assert_int_equal(running.rc, R_CLOSED);
    assert_int_equal(waiting.rc, R_CLOSED);
    assert_int_equal(wish.rc, R_CLOSED);
    pgsql_lease_end(tx);
}

/* ---- notifications ---- */

struct heard {
    unsigned made, notices;
    char last[64];
};

static void on_notice(void *owner, struct slice payload)
{
    struct heard *heard = owner;
    if (!payload.data) {
        heard->made++;
        return;
    }
    heard->notices++;
    snprintf(heard->last, sizeof heard->last, "%.*s", (int)payload.len, payload.data);
}

static bool is_connected_once(const void *of)
{
    return ((const struct heard *)of)->made == 1;
}

static bool is_connected_twice(const void *of)
{
    return ((const struct heard *)of)->made == 2;
}

static bool has_notice(const void *of)
{
    return ((const struct heard *)of)->notices > 0;
}

static void notifications_arrive_and_a_reconnect_is_told(void **state)
{
    (void)state;
    struct heard settings = {0}, flags = {0};
    open_pool(1, 10);
    struct pgsql_listener *first = pgsql_listen(pgsql, "Odd \"name\"", on_notice, &settings);
    struct pgsql_listener *second = pgsql_listen(pgsql, "flags", on_notice, &flags);
    patience_until(loop, is_connected_once, &settings);
    patience_until(loop, is_connected_once, &flags);
    postgres_server_ask(server, "SELECT pg_notify('Odd \"name\"', 'привет')");
    patience_until(loop, has_notice, &settings);
    assert_string_equal(settings.last, "привет");
    assert_int_equal(flags.notices, 0);

    postgres_server_ask(server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                                " WHERE application_name = 'fura-test'");
    patience_until(loop, is_connected_twice, &settings);
    patience_until(loop, is_connected_twice, &flags);
    postgres_server_ask(server, "NOTIFY flags, 'again'");
    patience_until(loop, has_notice, &flags);
    assert_string_equal(flags.last, "again");
    pgsql_unlisten(first);
    pgsql_unlisten(second);
}

static void an_ended_listener_hears_nothing(void **state)
{
    (void)state;
    struct heard gone = {0}, stays = {0};
    open_pool(1, 10);
    struct pgsql_listener *first = pgsql_listen(pgsql, "shared", on_notice, &gone);
    struct pgsql_listener *second = pgsql_listen(pgsql, "shared", on_notice, &stays);
    pgsql_unlisten(pgsql_listen(pgsql, "shared", on_notice, &gone)); /* before it was connected */
    patience_until(loop, is_connected_once, &gone);
    patience_until(loop, is_connected_once, &stays);
    pgsql_unlisten(first);
    postgres_server_ask(server, "NOTIFY shared, 'x'");
    patience_until(loop, has_notice, &stays);
    assert_int_equal(gone.notices, 0);
    pgsql_unlisten(second);
}

static int start_server(void **state)
{
    (void)state;
    log_open(NULL, LOG_ERROR, "test");
    server = postgres_server_start(NULL);
    return 0;
}

static int end_server(void **state)
{
    (void)state;
    postgres_server_end(server);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parameters_arrive_as_they_are),
        TEST(a_parameter_larger_than_every_buffer_arrives_whole),
        TEST(a_null_value_differs_from_an_empty_one),
        TEST(a_text_with_a_nul_byte_is_refused),
        TEST(changed_rows_are_counted),
        TEST(ten_thousand_rows_arrive_whole),
        TEST(a_refusal_carries_sqlstate_and_constraint),
        TEST(times_are_iso_and_utc_whatever_the_role_prefers),
        TEST(copy_fails_and_the_pool_heals),
        TEST(a_failing_statement_leaves_its_neighbours_alone),
        TEST(many_callers_share_few_connections),
        TEST(nobody_queues_behind_a_slow_statement),
        TEST(a_full_queue_refuses_at_once),
        TEST(waiting_for_a_connection_counts_against_the_timeout),
        TEST(a_timeout_is_told_at_once_and_stops_the_server),
        TEST(a_timeout_does_not_hit_the_statements_behind_it),
        TEST(a_statement_that_times_out_in_line_does_not_stop_the_one_ahead),
        TEST(a_lease_has_its_connection_alone),
        TEST(an_open_transaction_is_rolled_back_at_the_end_of_a_lease),
        TEST(a_lease_ended_early_stops_what_it_runs),
        TEST(a_lease_with_a_timeout_can_no_longer_commit),
        TEST(a_commit_that_comes_too_late_says_rollback),
        TEST(a_lease_may_end_inside_a_callback),
        TEST(a_transaction_begun_outside_a_lease_does_not_spread),
        TEST(a_killed_backend_costs_only_what_it_ran),
        TEST(an_idle_backend_killed_unnoticed_costs_nothing),
        TEST(a_killed_server_heals_by_itself),
        TEST(a_stopped_server_is_refused_at_once),
        TEST(a_missing_database_is_denied),
        TEST(the_next_host_is_tried_when_one_is_away),
        TEST(a_name_is_resolved_and_a_refusing_host_skipped),
        TEST(a_server_that_only_hangs_up_is_not_hammered),
        TEST(an_unusable_url_is_refused_without_repeating_it),
        TEST(closing_answers_everybody),
        TEST(notifications_arrive_and_a_reconnect_is_told),
        TEST(an_ended_listener_hears_nothing),
    };
    return cmocka_run_group_tests(tests, start_server, end_server);
}
