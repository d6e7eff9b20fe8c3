/* test_tls.c: the same server behind TLS, with OpenSSL's own client at the other end. */
#include "http_harness.h"
#include "net/tls.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

static char folder[] = "/tmp/fura-unit-XXXXXX";
static char cert_path[64], key_path[64], other_key_path[64];
static struct tls_context *context;
static const char secret[] = "0123456789abcdef0123456789abcdef";

static void write_key(const char *path, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
}

static void make_certificate(const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_sign(cert, key, EVP_sha256());
    FILE *file = fopen(cert_path, "w");
    PEM_write_X509(file, cert);
    fclose(file);
    write_key(key_path, key);
    write_key(other_key_path, other);
    X509_free(cert);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static struct tls_config config(void)
{
    return (struct tls_config){cert_path, key_path, slice_of(secret, sizeof secret - 1)};
}

static int make_files(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(cert_path, sizeof cert_path, "%s/cert.pem", folder);
    snprintf(key_path, sizeof key_path, "%s/key.pem", folder);
    snprintf(other_key_path, sizeof other_key_path, "%s/other.pem", folder);
    make_certificate("one");
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(cert_path);
    unlink(key_path);
    unlink(other_key_path);
    return rmdir(folder);
}

static int start(void **state)
{
    struct listen_address address;
    struct tls_config files = config();
    struct failure why;
    unsigned count;
    set_up(state);
    start_server();
    assert_int_equal(tls_context_new(&files, &context, &why), R_OK);
    assert_int_equal(listener_parse("ssl:127.0.0.1:0", &address, 1, &count, &why), R_OK);
    assert_int_equal(listener_open(&address, &listening_fd, &why), R_OK);
    port = listener_port(listening_fd);
    http_listen(server, listening_fd, 0, context);
    return 0;
}

static int stop(void **state)
{
    int rc = tear_down(state);
    tls_context_free(context);
    return rc;
}

/* ---- a client that pumps the loop while it waits ---- */

struct secure {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
    struct buf got;
    bool ended;
};

static struct secure secure_open(int version, const char *alpn, SSL_SESSION *session)
{
    struct secure client = {.context = SSL_CTX_new(TLS_client_method()), .fd = connect_tcp_fd()};
    fcntl(client.fd, F_SETFL, fcntl(client.fd, F_GETFL) | O_NONBLOCK);
    SSL_CTX_set_max_proto_version(client.context, version);
    SSL_CTX_set_min_proto_version(client.context, TLS1_VERSION);
    client.ssl = SSL_new(client.context);
    SSL_set_security_level(client.ssl, 0);
    if (alpn)
        SSL_set_alpn_protos(client.ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    if (session)
        SSL_set_session(client.ssl, session);
    SSL_set_fd(client.ssl, client.fd);
    return client;
}

static bool would_block(const struct secure *client, int rc)
{
    int error = SSL_get_error(client->ssl, rc);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static bool secure_connect(struct secure *client)
{
    int rc;
    while ((rc = SSL_connect(client->ssl)) != 1 && would_block(client, rc))
        turn(false);
    return rc == 1;
}

static void secure_send(struct secure *client, const char *text)
{
    int rc;
    while ((rc = SSL_write(client->ssl, text, (int)strlen(text))) <= 0 && would_block(client, rc))
        turn(false);
}

static void secure_read(struct secure *client)
{
    int n = SSL_read(client->ssl, buf_reserve(&client->got, 65536), 65536);
    if (n > 0)
        client->got.len += (size_t)n;
    else
        client->ended = !would_block(client, n);
    turn(false);
}

static void secure_close(struct secure *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    close(client->fd);
    buf_free(&client->got);
}

#define READ_UNTIL(client, condition)                                                              \
    for (int64_t until_ = now_ms() + PATIENCE_MS; !(condition) && now_ms() < until_;)              \
        secure_read(&(client));                                                                    \
    assert_true(condition)

#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

static void requests_are_served_in_secret(void **state)
{
    (void)state;
    struct secure client = secure_open(TLS1_3_VERSION, "\x08http/1.1", NULL);
    assert_true(secure_connect(&client));
    const unsigned char *chosen;
    unsigned len;
    SSL_get0_alpn_selected(client.ssl, &chosen, &len);
    assert_int_equal(len, 8);
    secure_send(&client, GET GET);
    READ_UNTIL(client, done == 2 && client.got.len >= 2 * last_bytes_out);
    secure_send(&client, "GET /hold HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    READ_UNTIL(client, held_count == 1);
    assert_true(slice_eq(http_scheme(held[0]), SLICE("https")));
    answer_text(held[0], SLICE("the end"));
    http_release(held[0]);
    READ_UNTIL(client, client.ended);
    assert_non_null(strstr(buf_cstr(&client.got), "the end"));
    assert_int_equal(SSL_get_shutdown(client.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    secure_close(&client);
}

static void a_large_body_and_answer_pass(void **state)
{
    (void)state;
    enum { SIZE = 60000 };
    struct secure client = secure_open(TLS1_2_VERSION, NULL, NULL);
    char *text = mem_alloc(SIZE + 1);
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    assert_true(secure_connect(&client));
    secure_send(&client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n");
    secure_send(&client, text);
    READ_UNTIL(client, client.got.len > SIZE);
    free(text);
    secure_close(&client);
}

static void old_versions_and_other_protocols_are_refused(void **state)
{
    (void)state;
    struct secure client = secure_open(TLS1_1_VERSION, NULL, NULL);
    assert_false(secure_connect(&client));
    secure_close(&client);
    client = secure_open(TLS1_3_VERSION, "\x02h2", NULL);
    assert_false(secure_connect(&client));
    secure_close(&client);
    struct client *plain = connect_client();
    send_text(plain, GET);
    WAIT_FOR(plain->eof || plain->reset);
    assert_int_equal(requests, 0);
}

/* What another worker does: a context of its own from the same files and the same secret. */
static void become_another_worker(void)
{
    struct tls_config files = config();
    struct failure why;
    assert_int_equal(tls_context_reload(context, &files, &why), R_OK);
}

static void a_session_is_resumed_by_any_worker(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        struct secure client = secure_open(versions[i], NULL, NULL);
        unsigned before = done;
        assert_true(secure_connect(&client));
        secure_send(&client, GET);
        READ_UNTIL(client, done == before + 1 && client.got.len >= last_bytes_out);
        SSL_SESSION *session = SSL_get1_session(client.ssl);
        SSL_shutdown(client.ssl);
        secure_close(&client);

        become_another_worker();
        client = secure_open(versions[i], NULL, session);
        assert_true(secure_connect(&client));
        assert_true(SSL_session_reused(client.ssl));
        SSL_SESSION_free(session);
        secure_close(&client);
    }
}

static void certificate_name(struct secure *client, char *out, int size)
{
    X509 *cert = SSL_get1_peer_certificate(client->ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, out, size);
    X509_free(cert);
}

static void certificates_can_be_replaced_while_serving(void **state)
{
    (void)state;
    char name[16];
    struct failure why;
    struct tls_config files = config(), wrong = config();
    struct secure old = secure_open(TLS1_3_VERSION, NULL, NULL);
    assert_true(secure_connect(&old));

    make_certificate("two");
    assert_int_equal(tls_context_reload(context, &files, &why), R_OK);
    wrong.key_path = other_key_path;
    assert_int_equal(tls_context_reload(context, &wrong, &why), R_INVALID);
    wrong.cert_path = "/nowhere";
    assert_int_equal(tls_context_reload(context, &wrong, &why), R_INVALID);
    assert_non_null(strstr(why.text, "/nowhere"));

    struct secure client = secure_open(TLS1_3_VERSION, NULL, NULL);
    assert_true(secure_connect(&client));
    certificate_name(&client, name, sizeof name);
    assert_string_equal(name, "two");
    secure_send(&old, GET);
    READ_UNTIL(old, done == 1 && old.got.len >= last_bytes_out);
    secure_close(&client);
    secure_close(&old);
}

static void a_slow_handshake_is_cut(void **state)
{
    (void)state;
    http_server_free(server);
    loop_free(loop);
    limits.head_timeout_ms = 60;
    start_server();
    http_listen(server, listening_fd, 0, context);
    struct client *client = connect_client();
    send_bytes(client, "\x16\x03\x01", 3);
    WAIT_FOR(client->eof || client->reset);
    assert_int_equal(client->got.len, 0);
}

#define TLS_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(requests_are_served_in_secret),
        TLS_TEST(a_large_body_and_answer_pass),
        TLS_TEST(old_versions_and_other_protocols_are_refused),
        TLS_TEST(a_session_is_resumed_by_any_worker),
        TLS_TEST(certificates_can_be_replaced_while_serving),
        TLS_TEST(a_slow_handshake_is_cut),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
