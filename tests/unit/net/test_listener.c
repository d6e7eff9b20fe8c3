/* test_listener.c: addresses to listen on, as people write them. */
#include "net/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static struct listen_address addresses[4];
static unsigned count;
static struct failure why;

static void addresses_are_read_as_written(void **state)
{
    (void)state;
    assert_int_equal(listener_parse("127.0.0.1:8080, [::]:80,unix:/run/fura/http,ssl:[::1]:443",
                                    addresses, 4, &count, &why),
                     R_OK);
    assert_int_equal(count, 4);
    assert_string_equal(addresses[0].host, "127.0.0.1");
    assert_int_equal(addresses[0].port, 8080);
    assert_true(addresses[0].loopback && !addresses[0].tls);
    assert_string_equal(addresses[1].host, "::");
    assert_false(addresses[1].loopback);
    assert_string_equal(addresses[2].unix_path, "/run/fura/http");
    assert_true(addresses[2].loopback);
    assert_true(addresses[3].tls && addresses[3].loopback);
    assert_string_equal(addresses[3].text, "ssl:[::1]:443");
    assert_int_equal(listener_parse("*:80", addresses, 4, &count, &why), R_OK);
    assert_false(addresses[0].loopback);
    assert_int_equal(listener_parse("localhost:80", addresses, 4, &count, &why), R_OK);
    assert_true(addresses[0].loopback);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "127.0.0.1:", "127.0.0.1:70000", "example.org:80",
        "::1:80",     "[127.0.0.1]:8",   "unix:",
        "ssl:",       "1.2.3.4:8x",      "127.0.0.1:80,,127.0.0.1:81"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(listener_parse(wrong[i], addresses, 4, &count, &why), R_INVALID);
    assert_int_equal(listener_parse("", addresses, 4, &count, &why), R_INVALID);
    assert_int_equal(listener_parse("1.1.1.1:1,1.1.1.1:2,1.1.1.1:3,1.1.1.1:4,1.1.1.1:5", addresses,
                                    4, &count, &why),
                     R_TOO_BIG);
}

static void the_system_may_choose_the_port(void **state)
{
    (void)state;
    char text[40];
    int fd, again;
    assert_int_equal(listener_parse("127.0.0.1:0", addresses, 4, &count, &why), R_OK);
    assert_int_equal(listener_open(addresses, &fd, &why), R_OK);
    int port = listener_port(fd);
    assert_true(port > 0);
    snprintf(text, sizeof text, "127.0.0.1:%d", port);
    assert_int_equal(listener_parse(text, addresses, 4, &count, &why), R_OK);
    assert_int_equal(listener_open(addresses, &again, &why), R_EXISTS);
    assert_non_null(strstr(why.text, text));
    close(fd);
}

static void a_stale_socket_file_is_replaced_and_a_live_one_respected(void **state)
{
    (void)state;
    char folder[] = "/tmp/fura-unit-XXXXXX", text[64];
    int fd, again;
    struct stat info;
    assert_non_null(mkdtemp(folder));
    snprintf(text, sizeof text, "unix:%s/s", folder);
    assert_int_equal(listener_parse(text, addresses, 4, &count, &why), R_OK);
    assert_int_equal(listener_open(addresses, &fd, &why), R_OK);
    assert_int_equal(listener_open(addresses, &again, &why), R_EXISTS);
    close(fd);
    assert_int_equal(stat(text + 5, &info), 0); /* left behind */
    assert_int_equal(listener_open(addresses, &fd, &why), R_OK);
    close(fd);
    unlink(text + 5);

    fclose(fopen(text + 5, "w")); /* somebody's file is never removed */
    assert_int_equal(listener_open(addresses, &fd, &why), R_EXISTS);
    assert_int_equal(stat(text + 5, &info), 0);
    unlink(text + 5);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_as_written),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(the_system_may_choose_the_port),
        cmocka_unit_test(a_stale_socket_file_is_replaced_and_a_live_one_respected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
