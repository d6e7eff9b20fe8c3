/* test_cidr.c: addresses and networks as they are written in settings and headers. */
#include "base/cidr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static bool is_in(const char *list_text, const char *address_text)
{
    struct cidr_list *list;
    struct cidr_address address;
    struct failure why;
    assert_int_equal(cidr_list_parse(slice_cstr(list_text), &list, &why), R_OK);
    assert_true(cidr_address_parse(slice_cstr(address_text), &address));
    bool found = cidr_list_has(list, &address);
    cidr_list_free(list);
    return found;
}

static void addresses_match_their_networks(void **state)
{
    (void)state;
    assert_true(is_in("10.0.0.0/8", "10.255.1.2"));
    assert_false(is_in("10.0.0.0/8", "11.0.0.0"));
    assert_true(is_in("192.168.4.0/22", "192.168.7.255"));
    assert_false(is_in("192.168.4.0/22", "192.168.8.0"));
    assert_true(is_in("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(is_in("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(is_in("1.2.3.4 , ::1", "::1"));
    assert_true(is_in("1.2.3.4 , ::1", "1.2.3.4"));
    assert_false(is_in("", "1.2.3.4"));
}

static void ipv4_written_as_ipv6_is_the_same_address(void **state)
{
    (void)state;
    char text[CIDR_ADDRESS_TEXT_MAX];
    struct cidr_address address;
    assert_true(is_in("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(is_in("::ffff:10.0.0.0/104", "10.1.2.3"));
    assert_false(is_in("0.0.0.0/0", "2001:db8::1"));
    assert_true(is_in("10.0.0.7/8", "10.200.0.1"));
    assert_true(cidr_address_parse(SLICE("::ffff:192.0.2.1"), &address));
    cidr_address_text(&address, text);
    assert_string_equal(text, "192.0.2.1");
    assert_true(cidr_address_parse(SLICE("2001:DB8:0:0::1"), &address));
    cidr_address_text(&address, text);
    assert_string_equal(text, "2001:db8::1");
}

static void loopback_is_recognised_in_both_families(void **state)
{
    (void)state;
    struct cidr_address address;
    assert_true(cidr_address_parse(SLICE("127.9.9.9"), &address));
    assert_true(cidr_address_is_loopback(&address));
    assert_true(cidr_address_parse(SLICE("::1"), &address));
    assert_true(cidr_address_is_loopback(&address));
    assert_true(cidr_address_parse(SLICE("128.0.0.1"), &address));
    assert_false(cidr_address_is_loopback(&address));
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const char *const wrong[] = {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "::/129",
                                        "10.0.0",      "host",      "1.2.3.4/-1"};
    struct cidr_list *list;
    struct failure why;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(cidr_list_parse(slice_cstr(wrong[i]), &list, &why), R_INVALID);
        assert_non_null(strstr(why.text, wrong[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_match_their_networks),
        cmocka_unit_test(ipv4_written_as_ipv6_is_the_same_address),
        cmocka_unit_test(loopback_is_recognised_in_both_families),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
