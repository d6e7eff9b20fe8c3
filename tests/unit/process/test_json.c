/* The JSON of the control socket: what is sound is found, what is not is refused. */
#include "json.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

static struct slice text_of(const char *text)
{
    return slice_cstr(text);
}

static void sound_values_are_accepted(void **state)
{
    static const char *const sound[] = {
        "null",
        "true",
        " false ",
        "0",
        "-1.5e+10",
        "\"\"",
        "\"\\u00e9\\n\"",
        "[]",
        "[1, 2]",
        "{}",
        "{\"a\":{\"b\":[]}}",
        "{ \"a\" : 1 , \"b\" : 2 }",
    };
    (void)state;
    for (size_t i = 0; i < sizeof sound / sizeof *sound; i++)
        assert_true(json_valid(text_of(sound[i])));
}

static void unsound_values_are_refused(void **state)
{
    static const char *const unsound[] = {
        "",         " ",       "nul",         "01",     "1.",   "-",           "+1",  "1 2",
        "\"",       "\"\\x\"", "\"\\u12g4\"", "\"\n\"", "[1,]", "[1",          "[,]", "{\"a\"}",
        "{\"a\":}", "{a:1}",   "{\"a\":1,}",  "{]",     "[}",   "\"a\" \"b\"", "1e",  "tru e",
    };
    (void)state;
    for (size_t i = 0; i < sizeof unsound / sizeof *unsound; i++)
        assert_false(json_valid(text_of(unsound[i])));
}

static void nesting_is_bounded(void **state)
{
    char deep[400];
    (void)state;
    memset(deep, '[', 200);
    memset(deep + 200, ']', 200);
    assert_false(json_valid(slice_of(deep, sizeof deep)));
    assert_true(json_valid(slice_of(deep + 150, 100)));
}

static void members_are_found_by_their_whole_name(void **state)
{
    struct slice object = text_of("{\"name\":\"x\", \"nam\":[1,{\"na\":2}] ,\"na\":3}");
    struct slice value;
    (void)state;
    assert_true(json_find(object, "na", &value));
    assert_true(slice_eq(value, SLICE("3")));
    assert_true(json_find(object, "nam", &value));
    assert_true(slice_eq(value, SLICE("[1,{\"na\":2}]")));
    assert_false(json_find(object, "n", &value));
    assert_false(json_find(text_of("[1]"), "n", &value));
}

static void lists_are_walked_to_their_end(void **state)
{
    struct slice list = text_of("[ [1,2] , \"b\",{} ]"), item;
    static const char *const items[] = {"[1,2]", "\"b\"", "{}"};
    size_t at = 0, count = 0;
    (void)state;
    while (json_next(list, &at, &item))
        assert_true(slice_eq(item, slice_cstr(items[count++])));
    assert_int_equal(count, 3);
    at = 0;
    assert_false(json_next(text_of("[]"), &at, &item));
}

static void escapes_become_the_characters_they_mean(void **state)
{
    struct buf out = {0};
    (void)state;
    assert_true(json_text(text_of("\"a\\n\\u00e9\\ud83d\\ude00\\ud83dx\\/\""), &out));
    assert_string_equal(buf_cstr(&out), "a\n\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbdx/");
    assert_false(json_text(text_of("12"), &out));
    buf_free(&out);
}

static void a_text_becomes_a_list_of_its_lines(void **state)
{
    struct buf out = {0};
    (void)state;
    buf_append_char(&out, '{');
    json_put_lines(&out, "none", SLICE(""));
    json_put_lines(&out, "two", SLICE("a \"b\"\nc"));
    json_put_lines(&out, "ended", SLICE("a\n"));
    buf_append_char(&out, '}');
    assert_string_equal(buf_cstr(&out),
                        "{\"none\":[],\"two\":[\"a \\\"b\\\"\",\"c\"],\"ended\":[\"a\"]}");
    buf_free(&out);
}

static void what_is_written_can_be_read(void **state)
{
    struct buf out = {0}, text = {0};
    (void)state;
    buf_append_char(&out, '{');
    json_put_member(&out, "a", SLICE("quote \" brace { bracket ["));
    json_put_integer(&out, "b", -7);
    json_put_bool(&out, "c", true);
    buf_append_char(&out, '}');
    assert_true(json_valid(buf_slice(&out)));
    assert_true(json_find_text(buf_slice(&out), "a", &text));
    assert_string_equal(buf_cstr(&text), "quote \" brace { bracket [");
    assert_int_equal((int)json_find_number(buf_slice(&out), "b", 0), -7);
    assert_true(json_find_bool(buf_slice(&out), "c", false));
    assert_int_equal((int)json_find_number(buf_slice(&out), "a", 5), 5);
    buf_free(&out);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_values_are_accepted),
        cmocka_unit_test(unsound_values_are_refused),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(members_are_found_by_their_whole_name),
        cmocka_unit_test(lists_are_walked_to_their_end),
        cmocka_unit_test(escapes_become_the_characters_they_mean),
        cmocka_unit_test(what_is_written_can_be_read),
        cmocka_unit_test(a_text_becomes_a_list_of_its_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
