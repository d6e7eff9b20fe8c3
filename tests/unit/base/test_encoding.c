/* RFC 4648 vectors, and that every value has exactly one accepted spelling. */
#include "base/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct {
    const char *plain, *base64, *base64url;
} vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xbe", "+/++", "-_--"},
};

static void base64_matches_rfc_4648_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct buf out = {0};
        encode_base64(slice_cstr(vectors[i].plain), &out);
        assert_string_equal(buf_cstr(&out), vectors[i].base64);
        buf_clear(&out);
        encode_base64url(slice_cstr(vectors[i].plain), &out);
        assert_string_equal(buf_cstr(&out), vectors[i].base64url);
        buf_clear(&out);
        assert_true(decode_base64(slice_cstr(vectors[i].base64), &out));
        assert_true(decode_base64url(slice_cstr(vectors[i].base64url), &out));
        assert_int_equal(out.len, 2 * strlen(vectors[i].plain));
        assert_memory_equal(out.data, vectors[i].plain, out.len / 2);
        buf_free(&out);
    }
}

static void base64_refuses_every_second_spelling(void **state)
{
    (void)state;
    static const char *const bad[] = {"Zg",           "Zg=", "Z===",   "Zh==",  "Zm9=",  "Zm8",
                                      "====",         "=",   "Zg==\n", " Zg==", "Zm9v=", "Z-_v",
                                      "Zm9vZg==Zg==", "Zg=a"};
    struct buf out = {0};

    buf_append(&out, "kept", 4);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(decode_base64(slice_cstr(bad[i]), &out));
    assert_false(decode_base64(slice_of("Zm9\0", 4), &out));
    assert_string_equal(buf_cstr(&out), "kept");
    buf_free(&out);
}

static void base64url_refuses_padding_and_the_other_alphabet(void **state)
{
    (void)state;
    static const char *const bad[] = {"Zg==", "Z", "Zh", "Zm9", "+/++", "Zm9v\n", "Zm9vZ"};
    struct buf out = {0};

    buf_append(&out, "kept", 4);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(decode_base64url(slice_cstr(bad[i]), &out));
    assert_string_equal(buf_cstr(&out), "kept");
    buf_free(&out);
}

static void hex_takes_both_cases_and_refuses_the_rest(void **state)
{
    (void)state;
    struct buf out = {0};

    encode_hex(slice_of("\x00\x9f\xff", 3), &out);
    assert_string_equal(buf_cstr(&out), "009fff");
    buf_clear(&out);
    assert_true(decode_hex(SLICE("009fFF"), &out));
    assert_memory_equal(out.data, "\x00\x9f\xff", 3);
    assert_false(decode_hex(SLICE("0"), &out));
    assert_false(decode_hex(SLICE("0g"), &out));
    assert_false(decode_hex(SLICE("0x"), &out));
    assert_int_equal(out.len, 3);
    buf_free(&out);
}

static void bytes_of_any_length_survive_the_round_trip(void **state)
{
    (void)state;
    char data[200];
    crypto_random(data, sizeof data);
    for (size_t len = 0; len <= sizeof data; len++) {
        struct buf text = {0}, back = {0};
        encode_base64url(slice_of(data, len), &text);
        assert_true(decode_base64url(buf_slice(&text), &back));
        assert_true(slice_eq(buf_slice(&back), slice_of(data, len)));
        buf_clear(&text);
        buf_clear(&back);
        encode_base64(slice_of(data, len), &text);
        assert_true(decode_base64(buf_slice(&text), &back));
        assert_true(slice_eq(buf_slice(&back), slice_of(data, len)));
        buf_free(&text);
        buf_free(&back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_matches_rfc_4648_both_ways),
        cmocka_unit_test(base64_refuses_every_second_spelling),
        cmocka_unit_test(base64url_refuses_padding_and_the_other_alphabet),
        cmocka_unit_test(hex_takes_both_cases_and_refuses_the_rest),
        cmocka_unit_test(bytes_of_any_length_survive_the_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
