/* REDIS_URL in all its forms, and how it is refused. */
#include "net/redis_url.h"
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void parsed(const char *text, struct redis_url *url)
{
    struct failure why = {0};
    if (redis_url_parse(text, url, &why) != R_OK)
        fail_msg("%s: %s", text, why.text);
}

static void a_plain_address_has_defaults(void **state)
{
    (void)state;
    struct redis_url url;
    parsed("redis://cache.example", &url);
    assert_string_equal(url.hosts[0].host, "cache.example");
    assert_int_equal(url.hosts[0].port, 6379);
    assert_int_equal(url.host_count, 1);
    assert_int_equal(url.db, 0);
    assert_false(url.tls);
    assert_null(url.user);
    assert_null(url.password);
    assert_null(url.master_name);
    redis_url_clear(&url);
}

static void every_part_is_read_and_decoded(void **state)
{
    (void)state;
    struct redis_url url;
    parsed("rediss://al%3Ace:p%40ss%2F:w%25@[2001:db8::1]:6380/15", &url);
    assert_true(url.tls);
    assert_string_equal(url.user, "al:ce");
    assert_string_equal(url.password, "p@ss/:w%");
    assert_string_equal(url.hosts[0].host, "2001:db8::1");
    assert_int_equal(url.hosts[0].port, 6380);
    assert_int_equal(url.db, 15);
    redis_url_clear(&url);

    parsed("redis://:only%20password@h/", &url);
    assert_null(url.user);
    assert_string_equal(url.password, "only password");
    redis_url_clear(&url);
}

static void an_unescaped_at_sign_in_a_password_is_understood(void **state)
{
    (void)state;
    struct redis_url url;
    parsed("redis://:p@ss@h:1/2", &url);
    assert_string_equal(url.password, "p@ss");
    assert_string_equal(url.hosts[0].host, "h");
    redis_url_clear(&url);
}

static void a_unix_socket_is_a_path_without_port(void **state)
{
    (void)state;
    struct redis_url url;
    parsed("unix://:pw@/run/my%20redis.sock?db=7", &url);
    assert_string_equal(url.hosts[0].host, "/run/my redis.sock");
    assert_int_equal(url.hosts[0].port, 0);
    assert_string_equal(url.password, "pw");
    assert_int_equal(url.db, 7);
    redis_url_clear(&url);
}

static void sentinels_come_as_a_list(void **state)
{
    (void)state;
    struct redis_url url;
    parsed("redis+sentinel://:pw@s1,s2:26400,[::1]:26401/my%20master/4", &url);
    assert_int_equal(url.host_count, 3);
    assert_string_equal(url.hosts[0].host, "s1");
    assert_int_equal(url.hosts[0].port, 26379);
    assert_int_equal(url.hosts[1].port, 26400);
    assert_string_equal(url.hosts[2].host, "::1");
    assert_string_equal(url.master_name, "my master");
    assert_string_equal(url.password, "pw");
    assert_int_equal(url.db, 4);
    redis_url_clear(&url);
}

static void mistakes_are_refused_in_words_without_the_password(void **state)
{
    (void)state;
    const char *const wrong[] = {
        "",
        "http://h",
        "redis:/h",
        "redis://",
        "redis://:hunter2@",
        "redis://:hunter2@/3",
        "redis://hunter2@h",
        "redis://user:@h",
        "redis://:hunter2%zz@h",
        "redis://:hunter2%00@h",
        "redis://h:hunter2",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:99999999999",
        "redis://h/hunter2",
        "redis://h/-1",
        "redis://h/65536",
        "redis://h/1/2",
        "redis://h?ssl=hunter2",
        "redis://h?db",
        "redis://[::1",
        "redis://[::1]hunter2",
        "unix://",
        "unix:///",
        "unix://relative/hunter2",
        "redis+sentinel://s1:1",
        "redis+sentinel://s1:1//0",
        "redis+sentinel:///NAME/0",
        "redis+sentinel://s1,,s2/NAME/0",
        "redis+sentinel://a,b,c,d,e,f,g,h,i/NAME/0",
        "redis+sentinel://s1/NAME/hunter2",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct redis_url url;
        struct failure why = {0};
        if (redis_url_parse(wrong[i], &url, &why) != R_INVALID)
            fail_msg("accepted: %s", wrong[i]);
        assert_string_not_equal(why.text, "");
        assert_null(strstr(why.text, "hunter2"));
    }
}

static void a_socket_path_longer_than_the_system_allows_is_refused(void **state)
{
    (void)state;
    char text[300] = "unix:///";
    struct redis_url url;
    memset(text + strlen(text), 'a', 200);
    assert_int_equal(redis_url_parse(text, &url, NULL), R_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_address_has_defaults),
        cmocka_unit_test(every_part_is_read_and_decoded),
        cmocka_unit_test(an_unescaped_at_sign_in_a_password_is_understood),
        cmocka_unit_test(a_unix_socket_is_a_path_without_port),
        cmocka_unit_test(sentinels_come_as_a_list),
        cmocka_unit_test(mistakes_are_refused_in_words_without_the_password),
        cmocka_unit_test(a_socket_path_longer_than_the_system_allows_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
