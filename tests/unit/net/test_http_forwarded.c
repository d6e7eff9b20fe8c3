/* test_http_forwarded.c: who the client is, when proxies say so. */
#include "http_harness.h"
#include "net/http_forwarded.h"

static void connect_to(const char *trusted)
{
    struct failure why;
    start_tcp();
    assert_int_equal(http_server_trust(server, trusted, &why), R_OK);
}

/* Sends one held request and checks who it is said to be from. */
static void expect(const char *before, const char *headers, const char *address, const char *scheme,
                   bool is_local)
{
    struct client *client = connect_client();
    struct buf text = {0};
    buf_printf(&text, "%sGET /hold HTTP/1.1\r\nHost: x\r\n%s\r\n", before, headers);
    send_bytes(client, text.data, text.len);
    buf_free(&text);
    WAIT_FOR(held_count == 1);
    if (!slice_eq(http_address(held[0]), slice_cstr(address)))
        fail_msg("%.*s instead of %s", (int)http_address(held[0]).len, http_address(held[0]).data,
                 address);
    assert_true(slice_eq(http_scheme(held[0]), slice_cstr(scheme)));
    assert_int_equal(http_is_local(held[0]), is_local);
    assert_int_equal(http_listener(held[0]), 7);
    answer_text(held[0], SLICE("seen"));
    http_release(held[0]);
    held_count = 0;
    WAIT_FOR(has_text(client, "seen"));
    close_client(client);
}

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

static struct buf binary(uint8_t command, uint8_t family, const void *body, uint8_t len)
{
    struct buf out = {0};
    buf_append(&out, signature, 12);
    buf_append_char(&out, (char)command);
    buf_append_char(&out, (char)family);
    buf_append_char(&out, 0);
    buf_append_char(&out, (char)len);
    buf_append(&out, body, len);
    return out;
}

static void strangers_are_not_believed(void **state)
{
    (void)state;
    connect_to("10.0.0.0/8");
    expect("", "", "127.0.0.1", "http", true);
    expect("", "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n", "127.0.0.1", "http",
           false);
    expect("", "X-Real-IP: 1.2.3.4\r\n", "127.0.0.1", "http", false);
    expect("", "Forwarded: for=1.2.3.4\r\n", "127.0.0.1", "http", false);
}

static void the_first_untrusted_address_from_the_right_is_the_client(void **state)
{
    (void)state;
    connect_to("127.0.0.0/8, 10.0.0.0/8");
    expect("", "X-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4", "http", false);
    expect("", "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.0.0.9\r\n", "1.2.3.4", "http", false);
    expect("", "X-Forwarded-For: 10.1.1.1, 10.2.2.2\r\n", "10.1.1.1", "http", false);
    expect("", "X-Forwarded-For: 1.2.3.4:5678\r\n", "1.2.3.4", "http", false);
    expect("", "X-Forwarded-For: \"[2001:db8::1]:443\", [2001:db8::2]:443\r\n", "2001:db8::2",
           "http", false);
    expect("", "X-Forwarded-For: 2001:db8::3\r\n", "2001:db8::3", "http", false);
    expect("", "X-Forwarded-For: ::ffff:1.2.3.4\r\n", "1.2.3.4", "http", false);
    expect("", "X-Forwarded-For: 6.6.6.6, unknown, 10.0.0.9\r\n", "10.0.0.9", "http", false);
    expect("", "X-Forwarded-For:\r\n", "127.0.0.1", "http", false);
    expect("", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.2.3.4, 10.0.0.1\r\n", "1.2.3.4",
           "http", false);
    expect("", "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: unknown\r\n", "127.0.0.1", "http",
           false);
}

static void the_scheme_is_believed_too(void **state)
{
    (void)state;
    connect_to("127.0.0.1");
    expect("", "X-Forwarded-Proto: https\r\n", "127.0.0.1", "https", false);
    expect("", "X-Forwarded-Proto: http, HTTPS\r\n", "127.0.0.1", "https", false);
    expect("", "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n", "127.0.0.1", "http",
           false);
    expect("", "X-Forwarded-Proto: gopher\r\n", "127.0.0.1", "http", false);
}

static void the_proxy_protocol_names_the_client(void **state)
{
    (void)state;
    connect_to("127.0.0.1");
    expect("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", "", "192.0.2.1", "http", false);
    expect("PROXY TCP6 2001:db8::1 ::1 56324 443\r\n", "", "2001:db8::1", "http", false);
    expect("PROXY UNKNOWN\r\n", "", "127.0.0.1", "http", false);
    /* Behind it the client's own word counts for nothing. */
    expect("PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\n", "X-Forwarded-For: 6.6.6.6\r\n", "192.0.2.1",
           "http", false);
}

static void the_proxy_protocol_may_come_in_pieces(void **state)
{
    (void)state;
    static const char text[] =
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\nGET /hold HTTP/1.1\r\nHost: x\r\n\r\n";
    connect_to("127.0.0.1");
    struct client *client = connect_client();
    for (size_t i = 0; i < sizeof text - 1; i++) {
        send_bytes(client, text + i, 1);
        turn(true);
    }
    WAIT_FOR(held_count == 1);
    assert_true(slice_eq(http_address(held[0]), SLICE("192.0.2.7")));
    answer_text(held[0], SLICE("seen"));
    http_release(held[0]);
}

static void the_binary_proxy_header_may_come_in_pieces(void **state)
{
    (void)state;
    static const uint8_t v4[12] = {192, 0, 2, 44, 198, 51, 100, 1, 1, 2, 3, 4};
    connect_to("127.0.0.1");
    struct client *client = connect_client();
    struct buf data = binary(0x21, 0x11, v4, sizeof v4);
    buf_append_slice(&data, SLICE("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"));
    for (size_t i = 0; i < data.len; i++) {
        send_bytes(client, data.data + i, 1);
        turn(true);
    }
    buf_free(&data);
    WAIT_FOR(held_count == 1);
    assert_true(slice_eq(http_address(held[0]), SLICE("192.0.2.44")));
    assert_false(http_is_local(held[0]));
    answer_text(held[0], SLICE("seen"));
    http_release(held[0]);
}

static void a_proxy_header_from_a_stranger_is_a_bad_request(void **state)
{
    (void)state;
    static const char text[] = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"
                               "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    connect_to("10.0.0.0/8");
    assert_int_equal(ask_once(text, sizeof text - 1), 400);
}

static void a_trusted_peer_may_do_without_the_proxy_protocol(void **state)
{
    (void)state;
    connect_to("127.0.0.1");
    struct client *client = connect_client();
    send_text(client, "P");
    for (int i = 0; i < 3; i++)
        turn(true);
    send_text(client, "OST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    WAIT_FOR(has_text(client, "\r\n\r\nhi"));
}

static void the_binary_proxy_header_is_read(void **state)
{
    (void)state;
    static const uint8_t v4[16] = {192, 0, 2, 33, 198, 51, 100, 1, 1, 2, 3, 4, 0x04, 0, 1, 'x'};
    static const uint8_t v6[36] = {0x20, 0x01, 0x0d, 0xb8, [15] = 5};
    char text[CIDR_ADDRESS_TEXT_MAX];
    struct http_proxy proxy;

    struct buf data = binary(0x21, 0x11, v4, sizeof v4);
    for (size_t len = 0; len < data.len; len++)
        assert_int_equal(http_proxy_parse(slice_of(data.data, len), &proxy), HTTP_PROXY_MORE);
    assert_int_equal(http_proxy_parse(buf_slice(&data), &proxy), HTTP_PROXY_DONE);
    assert_int_equal(proxy.len, data.len);
    cidr_address_text(&proxy.address, text);
    assert_string_equal(text, "192.0.2.33");
    buf_free(&data);

    data = binary(0x21, 0x21, v6, sizeof v6);
    assert_int_equal(http_proxy_parse(buf_slice(&data), &proxy), HTTP_PROXY_DONE);
    cidr_address_text(&proxy.address, text);
    assert_string_equal(text, "2001:db8::5");
    buf_free(&data);

    data = binary(0x20, 0x00, NULL, 0); /* LOCAL: the proxy's health check */
    assert_int_equal(http_proxy_parse(buf_slice(&data), &proxy), HTTP_PROXY_DONE);
    assert_false(proxy.has_address);
    buf_free(&data);
}

static void nonsense_in_proxy_headers_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n", "PROXY TCP4 nonsense 198.51.100.1 1 2\r\n",
        "PROXY TCP5 192.0.2.1 198.51.100.1 1 2\r\n", "PROXY \r\n", "PROXY TCP4\r\n"};
    struct http_proxy proxy;
    char endless[200];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(http_proxy_parse(slice_cstr(wrong[i]), &proxy), HTTP_PROXY_BAD);
    memset(endless, 'x', sizeof endless);
    memcpy(endless, "PROXY ", 6);
    assert_int_equal(http_proxy_parse(slice_of(endless, sizeof endless), &proxy), HTTP_PROXY_BAD);
    struct buf data = binary(0x31, 0x11, "0123456789ab", 12);
    assert_int_equal(http_proxy_parse(buf_slice(&data), &proxy), HTTP_PROXY_BAD);
    buf_free(&data);
    data = binary(0x21, 0x11, "short", 5);
    assert_int_equal(http_proxy_parse(buf_slice(&data), &proxy), HTTP_PROXY_BAD);
    buf_free(&data);
    assert_int_equal(http_proxy_parse(SLICE("GET / HTTP/1.1"), &proxy), HTTP_PROXY_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(strangers_are_not_believed),
        HTTP_TEST(the_first_untrusted_address_from_the_right_is_the_client),
        HTTP_TEST(the_scheme_is_believed_too),
        HTTP_TEST(the_proxy_protocol_names_the_client),
        HTTP_TEST(the_proxy_protocol_may_come_in_pieces),
        HTTP_TEST(the_binary_proxy_header_may_come_in_pieces),
        HTTP_TEST(a_proxy_header_from_a_stranger_is_a_bad_request),
        HTTP_TEST(a_trusted_peer_may_do_without_the_proxy_protocol),
        cmocka_unit_test(the_binary_proxy_header_is_read),
        cmocka_unit_test(nonsense_in_proxy_headers_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
