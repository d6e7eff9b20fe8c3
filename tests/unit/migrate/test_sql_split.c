/* test_sql_split.c: where one statement of a SQL file ends. */
#include "migrate/sql_split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect_statements(const char *file, const char *const *expected)
{
    struct sql_cursor cursor = {slice_cstr(file), 0};
    struct sql_statement statement;
    for (; *expected; expected++) {
        assert_true(sql_next(&cursor, &statement));
        assert_int_equal(statement.text.len, strlen(*expected));
        assert_memory_equal(statement.text.data, *expected, statement.text.len);
    }
    assert_false(sql_next(&cursor, &statement));
}

#define EXPECT(file, ...) expect_statements(file, (const char *const[]){__VA_ARGS__, NULL})

static void statements_end_at_semicolons(void **state)
{
    (void)state;
    EXPECT("SELECT 1;\n\n ;SELECT 2 ;SELECT 3", "SELECT 1", "SELECT 2", "SELECT 3");
    EXPECT(" -- only a comment; really\n/* a /* nested; */ one */ SELECT 1", "SELECT 1");
    EXPECT("SELECT (1; 2); SELECT 3", "SELECT (1; 2)", "SELECT 3");
}

static void quotes_keep_their_semicolons(void **state)
{
    (void)state;
    EXPECT("SELECT 'a;''b;'; SELECT \"c;\"\"d\"", "SELECT 'a;''b;'", "SELECT \"c;\"\"d\"");
    EXPECT("SELECT E'it\\'s; ', name'x;'; SELECT 2", "SELECT E'it\\'s; ', name'x;'", "SELECT 2");
    EXPECT("SELECT 'back\\'; SELECT 2", "SELECT 'back\\'", "SELECT 2");
}

static void function_bodies_stay_whole(void **state)
{
    (void)state;
    EXPECT("DO $$ BEGIN a; END $$; SELECT $1", "DO $$ BEGIN a; END $$", "SELECT $1");
    EXPECT("DO $body$ $$;$$ $body $body$; x", "DO $body$ $$;$$ $body $body$", "x");
    EXPECT("CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END; x",
           "CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; SELECT 2; END", "x");
}

static void unfinished_quotes_run_to_the_end(void **state)
{
    (void)state;
    EXPECT("SELECT 'open; SELECT 2", "SELECT 'open; SELECT 2");
    EXPECT("SELECT $a$open; SELECT 2", "SELECT $a$open; SELECT 2");
    EXPECT("SELECT 1 /* open; ", "SELECT 1 /* open; ");
}

static void lines_and_characters_are_found(void **state)
{
    (void)state;
    struct slice file = SLICE("a\nb\nc");
    assert_int_equal(sql_line(file, 0), 1);
    assert_int_equal(sql_line(file, 4), 3);
    assert_int_equal(sql_byte_of(SLICE("ёж;x"), 2), 4);
    assert_int_equal(sql_byte_of(SLICE("ё"), 9), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_end_at_semicolons),
        cmocka_unit_test(quotes_keep_their_semicolons),
        cmocka_unit_test(function_bodies_stay_whole),
        cmocka_unit_test(unfinished_quotes_run_to_the_end),
        cmocka_unit_test(lines_and_characters_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
