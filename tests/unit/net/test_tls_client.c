/* Redis over TLS: who is trusted, and that it works for more than one record. */
#include "support/redis_probe.h"
#include "support/redis_server.h"
#include "net/redis_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct redis_server server;
static char certificate[128], key[128];

/* Self-signed for the name «localhost» only. */
static void make_certificate(const char *cert_path, const char *key_path)
{
    char command[600];
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
             "-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout %s -out %s "
             "2>/dev/null",
             key_path, cert_path);
    assert_int_equal(system(command), 0);
}

static int start_server(void **state)
{
    (void)state;
    redis_server_init(&server);
    snprintf(certificate, sizeof certificate, "%s/cert.pem", server.folder);
    snprintf(key, sizeof key, "%s/key.pem", server.folder);
    make_certificate(certificate, key);
    redis_server_use_tcp(&server, "--tls-port");
    redis_server_add(&server, "--tls-cert-file", certificate);
    redis_server_add(&server, "--tls-key-file", key);
    redis_server_add(&server, "--tls-ca-cert-file", certificate);
    redis_server_add(&server, "--tls-auth-clients", "no");
    redis_server_start(&server);
    return 0;
}

static int end_server(void **state)
{
    (void)state;
    redis_server_end(&server);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    probe_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    probe_end();
    return 0;
}

static struct redis *open_tls(const char *host, const char *ca_file)
{
    char url[96];
    snprintf(url, sizeof url, "rediss://%s:%u/1", host, server.port);
    return probe_open_with(&(struct redis_options){
        .url = url, .connect_timeout_ms = 2000, .max_in_flight = 20000, .tls_ca_file = ca_file});
}

static void values_of_many_records_go_both_ways(void **state)
{
    (void)state;
    struct redis *redis = open_tls("localhost", certificate);
    size_t len = 3 * 1024 * 1024;
    char *value = test_malloc(len);
    memset(value, 'v', len);
    struct probe probe = {0};
    const struct slice set[] = {SLICE("SET"), SLICE("big"), {value, len}};
    assert_int_equal(redis_send(redis, 3, set, 5000, probe_take, &probe), R_OK);
    test_free(value);
    probe_until(&probe.answers);
    assert_string_equal(probe.text, "OK");
    assert_int_equal(probe_ask(redis, "GET", "big", NULL).len, len);
    for (int i = 0; i < 100; i++)
        assert_int_equal(probe_ask(redis, "INCR", "n", NULL).integer, i + 1);
    redis_close(redis);
}

static void assert_refused(const char *host, const char *ca_file, const char *reason)
{
    struct redis *redis = open_tls(host, ca_file);
    assert_int_equal(probe_ask(redis, "PING", NULL).rc, R_UNAVAILABLE);
    if (!strstr(redis->link.last_why.text, reason))
        fail_msg("not for the expected reason: %s", redis->link.last_why.text);
    redis_close(redis);
}

static void a_stranger_is_refused(void **state)
{
    (void)state;
    char other[128], other_key[128];
    snprintf(other, sizeof other, "%s/other.pem", server.folder);
    snprintf(other_key, sizeof other_key, "%s/other-key.pem", server.folder);
    make_certificate(other, other_key);
    assert_refused("localhost", other, "self-signed");
    assert_refused("localhost", NULL, "self-signed");
}

static void a_certificate_for_another_name_is_refused(void **state)
{
    (void)state;
    assert_refused("127.0.0.1", certificate, "IP address mismatch");
}

static void an_unreadable_ca_file_is_told_at_once(void **state)
{
    (void)state;
    struct redis *redis = NULL;
    struct failure why = {0};
    struct redis_options options = {.url = "rediss://localhost", .tls_ca_file = "/nowhere.pem"};
    assert_int_equal(redis_open(probe_loop, &options, &redis, &why), R_INVALID);
    assert_non_null(strstr(why.text, "/nowhere.pem"));
    assert_null(redis);
}

static void a_server_that_speaks_no_tls_is_given_up(void **state)
{
    (void)state;
    struct redis_server plain;
    redis_server_init(&plain);
    redis_server_use_tcp(&plain, "--port");
    redis_server_start(&plain);
    char url[64];
    snprintf(url, sizeof url, "rediss://localhost:%u", plain.port);
    struct redis *redis = probe_open_with(&(struct redis_options){
        .url = url, .connect_timeout_ms = 200, .max_in_flight = 10, .tls_ca_file = certificate});
    assert_int_equal(probe_ask(redis, "PING", NULL).rc, R_UNAVAILABLE);
    redis_close(redis);
    redis_server_end(&plain);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_of_many_records_go_both_ways),
        TEST(a_stranger_is_refused),
        TEST(a_certificate_for_another_name_is_refused),
        TEST(an_unreadable_ca_file_is_told_at_once),
        TEST(a_server_that_speaks_no_tls_is_given_up),
    };
    return cmocka_run_group_tests(tests, start_server, end_server);
}
