/* test_schema.c: the shipped migrations on an empty database, and the invariants their constraints hold. */
#include "base/buf.h"
#include "migrate/migrate.h"
#include "support/postgres_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct postgres_server *server;

static void run(const char *sql)
{
    postgres_server_ask(server, sql);
}

/* Run `sql` inside the server and give the SQLSTATE it is refused with, «00000» when it is not. */
static void expect(const char *state, const char *sql)
{
    struct buf text = {0};
    buf_printf(&text,
               "CREATE TEMP TABLE outcome (state text); DO $do$ BEGIN %s;"
               " INSERT INTO outcome VALUES ('00000');"
               " EXCEPTION WHEN OTHERS THEN INSERT INTO outcome VALUES (SQLSTATE); END $do$;"
               " SELECT state FROM outcome",
               sql);
    assert_string_equal(postgres_server_ask(server, buf_cstr(&text)), state);
    buf_free(&text);
}

static void a_driver_has_one_live_session(void **state)
{
    (void)state;
    run("INSERT INTO drivers (id, first_name) VALUES (7, 'Иван')");
    run("INSERT INTO sessions (id, driver_id) VALUES (gen_random_uuid(), 7)");
    expect("23505", "INSERT INTO sessions (id, driver_id) VALUES (gen_random_uuid(), 7)");
    run("UPDATE sessions SET revoked_at = now(), revoked_reason = 'replaced' WHERE driver_id = 7");
    expect("00000", "INSERT INTO sessions (id, driver_id) VALUES (gen_random_uuid(), 7)");
    expect("23514", "UPDATE sessions SET revoked_at = now() WHERE revoked_at IS NULL");
    expect("23503", "INSERT INTO sessions (id, driver_id) VALUES (gen_random_uuid(), 8)");
}

static void a_driver_is_a_telegram_user_with_a_real_phone(void **state)
{
    (void)state;
    expect("23514", "INSERT INTO drivers (id) VALUES (-5)");
    expect("23514", "INSERT INTO drivers (id, phone) VALUES (9, '8 800')");
    expect("23514", "INSERT INTO drivers (id, contact_name) VALUES (9, '')");
    expect("00000", "INSERT INTO drivers (id, phone) VALUES (9, '+79161234567')");
}

static void the_audit_log_is_append_only(void **state)
{
    (void)state;
    run("INSERT INTO audit_log (actor_type, action) VALUES ('system', 'test')");
    expect("23001", "UPDATE audit_log SET action = 'x'");
    expect("23001", "DELETE FROM audit_log");
    expect("23001", "TRUNCATE audit_log");
    expect("23001", "EXECUTE 'TRUNCATE audit_log_' || to_char(now(), 'YYYY_MM')");
    expect("23001", "EXECUTE 'DELETE FROM audit_log_' || to_char(now(), 'YYYY_MM')");
    expect("23001", "TRUNCATE audit_log_default");
    expect("23514", "INSERT INTO audit_log (actor_type, action) VALUES ('ghost', 'test')");
}

static void audit_months_are_made_ahead_and_again_without_harm(void **state)
{
    (void)state;
    run("INSERT INTO audit_log (actor_type, action, created_at)"
        " VALUES ('system', 'later', now() + interval '20 months')");
    assert_string_equal(postgres_server_ask(server, "SELECT count(*) FROM audit_log_default"), "0");
    run("SELECT audit_log_add_month(now()::date)");
    run("SELECT audit_log_add_month((now() + interval '40 months')::date)");
    expect("23001",
           "EXECUTE 'TRUNCATE audit_log_' || to_char(now() + interval '40 months', 'YYYY_MM')");
}

static int start(void **state)
{
    (void)state;
    struct buf report = {0};
    server = postgres_server_start("timezone = 'Asia/Tokyo'");
    struct migrate_options options = {.url = postgres_server_url(server), .folder = "migrations"};
    int failed = migrate_up(&options, &report);
    if (failed)
        print_error("%s", buf_cstr(&report));
    buf_free(&report);
    return failed;
}

static int end(void **state)
{
    (void)state;
    postgres_server_end(server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_driver_has_one_live_session),
        cmocka_unit_test(a_driver_is_a_telegram_user_with_a_real_phone),
        cmocka_unit_test(the_audit_log_is_append_only),
        cmocka_unit_test(audit_months_are_made_ahead_and_again_without_harm),
    };
    return cmocka_run_group_tests(tests, start, end);
}
