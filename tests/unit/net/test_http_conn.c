/* test_http_conn.c: connections from their first byte to their last, as clients see them. */
#include "http_harness.h"
#include "net/http_private.h"

#include <sys/resource.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

/* ---- order and life of connections ---- */

static void one_connection_serves_many_requests(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    for (unsigned i = 1; i <= 3; i++) {
        send_text(client, GET("/"));
        WAIT_FOR(count_text(client, "\r\n\r\nok") == i);
    }
    assert_int_equal(http_connection_count(server), 1);
    assert_int_equal(done, 3);
}

/* Its body is known to be cut short as soon as it is begun: nobody waits for the deadline. */
static void a_pipelined_request_cut_short_ends_with_the_answer_before_it(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(client,
              GET("/hold") "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf");
    WAIT_FOR(held_count == 1);
    shutdown(client->fd, SHUT_WR);
    for (int i = 0; i < 5; i++)
        turn(true);
    assert_int_equal(gone, 0);
    answer_text(held[0], SLICE("whole"));
    http_release(held[0]);
    for (int i = 0; i < 50 && !client->eof; i++)
        turn(true);
    assert_true(client->eof);
    assert_true(has_text(client, "whole"));
    assert_int_equal(http_connection_count(server), 0);
    assert_int_equal(done, 2);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, GET("/hold/1") GET("/2") GET("/hold/3") GET("/4"));
    WAIT_FOR(held_count == 1);
    turn(true);
    assert_int_equal(requests, 1); /* the next is not begun before the answer */
    answer_text(held[0], SLICE("first"));
    http_release(held[0]);
    WAIT_FOR(held_count == 2);
    assert_int_equal(requests, 3);
    answer_text(held[1], SLICE("third"));
    http_release(held[1]);
    WAIT_FOR(done == 4);
    WAIT_FOR(count_text(client, "HTTP/1.1 200") == 4);
    assert_true(strstr(text_of(client), "first") < strstr(text_of(client), "\nok"));
    assert_true(strstr(text_of(client), "\nok") < strstr(text_of(client), "third"));
}

static void a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    static const char text[] =
        "\r\nPOST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n" GET("/next");
    start_tcp();
    struct client *client = connect_client();
    for (size_t i = 0; i < sizeof text - 1; i++) {
        send_bytes(client, text + i, 1);
        turn(true);
    }
    WAIT_FOR(has_text(client, "\r\n\r\nabcde") && has_text(client, "\r\n\r\nok"));
}

static void many_pipelined_requests_need_no_more_than_the_wire(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    start_tcp();
    struct client *client = connect_client();
    struct buf all = {0};
    for (int i = 0; i < COUNT; i++)
        buf_append_slice(&all, SLICE(GET("/")));
    send_bytes(client, all.data, all.len);
    buf_free(&all);
    WAIT_FOR(done == COUNT);
    WAIT_FOR(count_text(client, "HTTP/1.1 200") == COUNT);
}

static void connection_close_is_obeyed_and_announced(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, "GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n" GET("/never"));
    WAIT_FOR(client->eof);
    assert_true(has_text(client, "Connection: close\r\n"));
    assert_int_equal(requests, 1);
}

static void http_1_0_closes_unless_asked_to_stay(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, "GET / HTTP/1.0\r\n\r\n");
    WAIT_FOR(client->eof);
    assert_true(has_text(client, "Connection: close\r\n"));

    client = connect_client();
    send_text(client, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    WAIT_FOR(has_text(client, "Connection: keep-alive\r\n"));
    send_text(client, "GET / HTTP/1.0\r\n\r\n");
    WAIT_FOR(client->eof && count_text(client, "200 OK") == 2);
}

static void a_client_that_only_stopped_sending_is_served(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, GET("/hold/1") GET("/2"));
    shutdown(client->fd, SHUT_WR);
    WAIT_FOR(held_count == 1);
    for (int i = 0; i < 20; i++)
        turn(true);
    assert_int_equal(gone, 0);
    answer_text(held[0], SLICE("one"));
    http_release(held[0]);
    WAIT_FOR(client->eof);
    assert_int_equal(count_text(client, "200 OK"), 2);
}

/* ---- owners and vanished clients ---- */

static void a_reset_while_the_owner_works_is_told_once(void **state)
{
    (void)state;
    struct linger now = {.l_onoff = 1};
    start_tcp();
    struct client *client = connect_client();
    send_text(client, GET("/hold"));
    WAIT_FOR(held_count == 1);
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close_client(client);
    WAIT_FOR(gone == 1 && done == 1);
    assert_int_equal(last_status, 0);
    assert_int_equal(http_connection_count(server), 0);
    answer_text(held[0], SLICE("too late"));
    assert_true(slice_eq(http_path(held[0]), SLICE("/hold"))); /* still readable */
    http_release(held[0]);
    assert_int_equal(gone + done, 2);
}

static void a_client_that_closes_later_is_gone(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, GET("/hold"));
    WAIT_FOR(held_count == 1);
    for (int64_t until = now_ms() + 80; now_ms() < until;)
        turn(true);
    close_client(client);
    WAIT_FOR(gone == 1 && done == 1);
    http_release(held[0]);
}

static void a_request_cut_short_never_reaches_the_owner(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    WAIT_FOR(heads == 1);
    close_client(client);
    WAIT_FOR(done == 1);
    assert_int_equal(last_status, 0);
    assert_int_equal(requests, 0);
    assert_int_equal(gone, 0);
}

static void the_second_answer_is_ignored(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, GET("/hold"));
    WAIT_FOR(held_count == 1);
    answer_text(held[0], SLICE("one"));
    answer_text(held[0], SLICE("two"));
    http_release(held[0]);
    send_text(client, GET("/"));
    WAIT_FOR(has_text(client, "\r\n\r\nok"));
    assert_int_equal(count_text(client, "HTTP/1.1"), 2);
    assert_false(has_text(client, "two"));
}

static void releasing_without_an_answer_is_an_internal_error(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, GET("/hold"));
    WAIT_FOR(held_count == 1);
    http_release(held[0]);
    WAIT_FOR(status_of(client) == 500);
    assert_true(has_text(client, "\"code\":\"internal_error\""));
}

static void the_server_may_be_freed_while_an_owner_holds_a_request(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, GET("/hold/1"));
    WAIT_FOR(held_count == 1);
    http_server_free(server);
    answer_text(held[0], SLICE("nobody listens"));
    http_release(held[0]);
    assert_int_equal(gone + done, 0);
    loop_free(loop);
    start_server();
}

/* ---- refusals ---- */

static void dangerous_requests_are_refused(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *text;
    } cases[] = {
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\nA : 1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\n folded\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n Host: x\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\n: 1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\nnocolon\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\nA: \x7f\r\n\r\n"},
        {400, "GET / HTTP/1.1\nHost: x\n\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\n\n"},
        {400, "GET /\r\n"},
        {400, "GET / \r\n"},
        {400, "GET / HTTP/0.9\r\n\r\n"},
        {400, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET a HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET * HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n\r\n"},
        {400, "GET / http/1.1\r\nHost: x\r\n\r\n"},
        {400, "\x16\x03\x01\x02"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 1\r\n\r\na"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\na"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1\r\n\r\na"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: "
              "chunked\r\n\r\n0\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: "
              "1\r\n\r\n0\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
              "chunked\r\n\r\n0\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n"},
        {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {501, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
        {501, "BREW / HTTP/1.1\r\nHost: x\r\n\r\n"},
        {501, "CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n"},
        {505, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"},
        {505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
        {505, "GET / HTTP/1.2\r\nHost: x\r\n\r\n"},
        {417, "POST / HTTP/1.1\r\nHost: x\r\nExpect: magic\r\nContent-Length: 1\r\n\r\na"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\nab\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"},
        {400,
         "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n"},
        {400,
         "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n"},
        {400,
         "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n"},
        {400,
         "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;\n\r\na\r\n0\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nbad "
              "trailer\r\n\r\n"},
        {400,
         "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n"},
    };
    start_tcp();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned done_before = done;
        int status = ask_once(cases[i].text, strlen(cases[i].text));
        if (status != cases[i].status)
            fail_msg("%d instead of %d for:\n%s", status, cases[i].status, cases[i].text);
        assert_int_equal(done, done_before + 1);
        assert_int_equal(last_status, status);
        assert_string_equal(last_address, "127.0.0.1");
    }
    assert_int_equal(requests, 0);
    static const char with_nul[] = "GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n";
    assert_int_equal(ask_once(with_nul, sizeof with_nul - 1), 400);
}

static void unusual_but_sound_requests_are_served(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "GET http://example.org:80/a?b HTTP/1.1\r\nHost: other\r\n\r\n",
        "GET http://example.org?b HTTP/1.1\r\nHost: other\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /?q=\xd0\x9c HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: x\r\nA:\r\nB: \t c \t\r\nC: \xff\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "PATCH / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: upgrade\r\nUpgrade: "
        "h2c\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
        "Chunked\r\n\r\nA;a=\"b\"\r\n0123456789\r\n00\r\nT: x\r\n\r\n",
    };
    start_tcp();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int status = ask_once(texts[i], strlen(texts[i]));
        if (status != 200)
            fail_msg("%d for:\n%s", status, texts[i]);
    }
}

static void a_smuggled_request_is_never_seen(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET("/admin"));
    WAIT_FOR(client->eof);
    assert_int_equal(count_text(client, "HTTP/1.1"), 1);
    assert_int_equal(requests, 0);
}

static void oversize_is_refused_as_soon_as_it_is_known(void **state)
{
    (void)state;
    struct buf text = {0};
    start_tcp();
    buf_append_slice(&text, SLICE("GET /"));
    memset(buf_reserve(&text, 9000), 'a', 9000);
    text.len += 9000; /* no end of the line in sight */
    assert_int_equal(ask_once(text.data, text.len), 414);

    buf_clear(&text);
    buf_append_slice(&text, SLICE("GET / HTTP/1.1\r\nHost: x\r\nA: "));
    memset(buf_reserve(&text, 40000), 'a', 40000);
    text.len += 40000;
    assert_int_equal(ask_once(text.data, text.len), 431);

    buf_clear(&text);
    buf_append_slice(&text, SLICE("GET / HTTP/1.1\r\nHost: x\r\n"));
    for (int i = 0; i < 100; i++)
        buf_append_slice(&text, SLICE("A: 1\r\n"));
    buf_append_slice(&text, SLICE("\r\n"));
    assert_int_equal(ask_once(text.data, text.len), 431);
    buf_free(&text);
}

static void as_many_headers_as_promised_are_taken(void **state)
{
    (void)state;
    struct buf text = {0};
    start_tcp();
    buf_append_slice(&text, SLICE("GET / HTTP/1.1\r\nHost: x\r\n"));
    for (int i = 0; i < 99; i++)
        buf_printf(&text, "Header-%d: %0200d\r\n", i, i);
    buf_append_slice(&text, SLICE("\r\n"));
    assert_int_equal(ask_once(text.data, text.len), 200);
    buf_free(&text);
}

static void a_large_body_is_refused_before_the_owner_sees_it(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n");
    WAIT_FOR(client->eof);
    assert_int_equal(status_of(client), 413);
    assert_true(has_text(client, "\"code\":\"body_too_large\""));
    assert_true(has_text(client, "Connection: close"));

    client = connect_client();
    send_text(client,
              "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n");
    char piece[4096];
    memset(piece, 'x', sizeof piece);
    for (int i = 0; i < 17; i++)
        send_bytes(client, piece, sizeof piece);
    WAIT_FOR(client->eof);
    assert_int_equal(status_of(client), 413);
    assert_int_equal(requests, 0);
}

static void a_route_may_allow_more(void **state)
{
    (void)state;
    enum { SIZE = 1024 * 1024 };
    char *body = mem_zalloc(SIZE);
    start_tcp();
    struct client *client = connect_client();
    send_text(client, "POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n");
    send_bytes(client, body, SIZE);
    WAIT_FOR(has_text(client, "\r\n\r\nok"));
    free(body);
}

static void a_client_still_uploading_can_read_the_refusal(void **state)
{
    (void)state;
    enum { SIZE = 3 * 1024 * 1024 };
    char *body = mem_zalloc(SIZE);
    start_tcp();
    struct client *client = connect_client();
    send_text(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3145728\r\n\r\n");
    send_bytes(client, body, SIZE);
    shutdown(client->fd, SHUT_WR);
    WAIT_FOR(client->eof || client->reset);
    assert_false(client->reset);
    assert_int_equal(status_of(client), 413);
    free(body);
}

static void a_refused_upload_without_end_is_cut(void **state)
{
    (void)state;
    enum { SIZE = 64 * 1024 };
    char *body = mem_zalloc(SIZE);
    start_tcp();
    struct client *client = connect_client();
    send_text(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 314572800\r\n\r\n");
    for (int i = 0; i < 400; i++)
        send_bytes(client, body, SIZE);
    WAIT_FOR(http_connection_count(server) == 0);
    free(body);
}

static void an_answer_before_the_body_closes_the_connection(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, "POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab");
    WAIT_FOR(client->eof);
    assert_int_equal(status_of(client), 401);
    assert_int_equal(requests, 0);
    assert_int_equal(done, 1);

    client = connect_client();
    send_text(client, GET("/early") GET("/"));
    WAIT_FOR(has_text(client, "\r\n\r\nok")); /* without a body it goes on */
}

static void a_client_that_waits_for_leave_gets_it(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(
        client,
        "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    WAIT_FOR(has_text(client, "HTTP/1.1 100 Continue\r\n\r\n"));
    send_text(client, "hi");
    WAIT_FOR(has_text(client, "\r\n\r\nhi"));

    client = connect_client();
    send_text(client, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                      "Content-Length: 70000\r\n\r\n");
    WAIT_FOR(client->eof);
    assert_int_equal(status_of(client), 413); /* and no 100 before it */
}

/* ---- slow and many ---- */

static void a_slow_head_is_told_and_closed(void **state)
{
    (void)state;
    limits.head_timeout_ms = 60;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, "GET / HT");
    WAIT_FOR(client->eof);
    assert_int_equal(status_of(client), 408);
    assert_true(has_text(client, "\"code\":\"request_timeout\""));
}

static void a_head_that_trickles_is_slow_too(void **state)
{
    (void)state;
    limits.head_timeout_ms = 150;
    limits.max_headers = 1000000;
    limits.max_header_bytes = 1 << 24;
    start_tcp();
    struct client *client = connect_client();
    int64_t began = now_ms();
    send_text(client, "GET / HTTP/1.1\r\n");
    while (!client->eof && now_ms() - began < 3000) {
        send_text(client, "A: 1\r\n");
        turn(true);
    }
    assert_int_equal(status_of(client), 408);
}

static void a_slow_body_is_told_and_closed(void **state)
{
    (void)state;
    limits.body_timeout_ms = 60;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab");
    WAIT_FOR(client->eof);
    assert_int_equal(status_of(client), 408);
    assert_int_equal(requests, 0);
}

static void silent_connections_are_closed_silently(void **state)
{
    (void)state;
    limits.head_timeout_ms = limits.idle_timeout_ms = 60;
    start_tcp();
    struct client *never = connect_client(), *idle = connect_client();
    send_text(idle, GET("/"));
    WAIT_FOR(never->eof && idle->eof);
    assert_int_equal(never->got.len, 0);
    assert_int_equal(count_text(idle, "HTTP/1.1"), 1);
    assert_int_equal(done, 1);
}

static void an_owner_may_take_its_time(void **state)
{
    (void)state;
    limits.head_timeout_ms = limits.idle_timeout_ms = limits.body_timeout_ms = 40;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, GET("/hold"));
    WAIT_FOR(held_count == 1);
    for (int64_t until = now_ms() + 200; now_ms() < until;)
        turn(true);
    answer_text(held[0], SLICE("at last"));
    http_release(held[0]);
    WAIT_FOR(has_text(client, "at last"));
}

static void too_many_connections_are_turned_away_early(void **state)
{
    (void)state;
    limits.max_connections = 2;
    start_tcp();
    struct client *a = connect_client(), *b = connect_client();
    WAIT_FOR(http_connection_count(server) == 2);
    struct client *c = connect_client();
    WAIT_FOR(c->eof);
    assert_int_equal(status_of(c), 503);
    assert_true(has_text(c, "\"code\":\"overloaded\""));
    assert_true(has_text(c, "Retry-After: "));
    send_text(a, GET("/"));
    send_text(b, GET("/"));
    WAIT_FOR(has_text(a, "ok") && has_text(b, "ok"));
}

static void running_out_of_descriptors_is_survived(void **state)
{
    (void)state;
    struct rlimit before, tight;
    start_tcp();
    struct client *early = connect_client();
    WAIT_FOR(http_connection_count(server) == 1);
    int fd = connect_tcp_fd();
    getrlimit(RLIMIT_NOFILE, &before);
    tight = before;
    tight.rlim_cur = (rlim_t)fd + 1; /* nothing is left to accept it with */
    setrlimit(RLIMIT_NOFILE, &tight);
    struct client *late = add_client(fd);
    WAIT_FOR(late->eof || late->reset);
    setrlimit(RLIMIT_NOFILE, &before);
    send_text(early, GET("/"));
    WAIT_FOR(has_text(early, "ok"));
    struct client *again = connect_client();
    send_text(again, GET("/"));
    WAIT_FOR(has_text(again, "ok"));
}

static void idle_connections_are_light(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, GET("/"));
    WAIT_FOR(has_text(client, "ok"));
    const struct http_conn *conn = server->waiting[HTTP_WAIT_IDLE].first;
    assert_non_null(conn);
    assert_int_equal(conn->in.cap + conn->out.cap, 0); /* no buffer, no request: only itself */
    assert_int_equal(server->live_requests, 0);
    assert_true(sizeof *conn <= 512);
}

/* ---- draining ---- */

static void draining_closes_idle_ones_and_finishes_busy_ones(void **state)
{
    (void)state;
    start_tcp();
    struct client *idle = connect_client(), *busy = connect_client();
    send_text(idle, GET("/"));
    send_text(busy, GET("/hold"));
    WAIT_FOR(held_count == 1 && has_text(idle, "ok"));
    http_server_drain(server, on_drained, NULL);
    WAIT_FOR(idle->eof);
    assert_int_equal(drained, 0);
    answer_text(held[0], SLICE("goodbye"));
    http_release(held[0]);
    WAIT_FOR(has_text(busy, "goodbye"));
    assert_true(has_text(busy, "Connection: close"));
    close_client(busy);
    WAIT_FOR(drained == 1);
    assert_int_equal(http_connection_count(server), 0);
}

static void draining_nothing_is_done_soon(void **state)
{
    (void)state;
    start_tcp();
    http_server_drain(server, on_drained, NULL);
    assert_int_equal(drained, 0); /* never inside the call */
    WAIT_FOR(drained == 1);
}

static void a_request_already_sent_survives_the_drain(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = connect_client();
    send_text(client, GET("/"));
    WAIT_FOR(has_text(client, "ok"));
    send_text(client, GET("/last"));
    http_server_drain(server, on_drained, NULL);
    WAIT_FOR(client->eof);
    assert_int_equal(count_text(client, "200 OK"), 2);
}

static void who_had_just_connected_may_still_ask_during_the_drain(void **state)
{
    (void)state;
    start_tcp();
    struct client *asks = connect_client(), *silent = connect_client();
    http_server_drain(server, on_drained, NULL); /* perhaps they are not even accepted yet */
    send_text(asks, GET("/"));
    WAIT_FOR(asks->eof && has_text(asks, "200 OK"));
    assert_false(silent->eof);
    WAIT_FOR(silent->eof && drained == 1);
}

/* ---- unix sockets ---- */

static void unix_sockets_serve_too(void **state)
{
    (void)state;
    char folder[] = "/tmp/fura-unit-XXXXXX", path[64];
    struct listen_address address;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct failure why;
    unsigned count;
    start_server();
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "unix:%s/http", folder);
    assert_int_equal(listener_parse(path, &address, 1, &count, &why), R_OK);
    assert_int_equal(listener_open(&address, &listening_fd, &why), R_OK);
    http_listen(server, listening_fd, 3, NULL);
    snprintf(un.sun_path, sizeof un.sun_path, "%s", path + 5);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
    struct client *client = add_client(fd);
    send_text(client, GET("/hold"));
    WAIT_FOR(held_count == 1);
    assert_true(http_is_local(held[0]));
    assert_true(slice_eq(http_address(held[0]), SLICE("127.0.0.1")));
    assert_int_equal(http_listener(held[0]), 3);
    close_client(client); /* here the system does tell a full close apart */
    WAIT_FOR(gone == 1);
    http_release(held[0]);
    unlink(un.sun_path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(one_connection_serves_many_requests),
        HTTP_TEST(pipelined_requests_are_answered_in_order),
        HTTP_TEST(a_pipelined_request_cut_short_ends_with_the_answer_before_it),
        HTTP_TEST(a_request_may_come_byte_by_byte),
        HTTP_TEST(many_pipelined_requests_need_no_more_than_the_wire),
        HTTP_TEST(connection_close_is_obeyed_and_announced),
        HTTP_TEST(http_1_0_closes_unless_asked_to_stay),
        HTTP_TEST(a_client_that_only_stopped_sending_is_served),
        HTTP_TEST(a_reset_while_the_owner_works_is_told_once),
        HTTP_TEST(a_client_that_closes_later_is_gone),
        HTTP_TEST(a_request_cut_short_never_reaches_the_owner),
        HTTP_TEST(the_second_answer_is_ignored),
        HTTP_TEST(releasing_without_an_answer_is_an_internal_error),
        HTTP_TEST(the_server_may_be_freed_while_an_owner_holds_a_request),
        HTTP_TEST(dangerous_requests_are_refused),
        HTTP_TEST(unusual_but_sound_requests_are_served),
        HTTP_TEST(a_smuggled_request_is_never_seen),
        HTTP_TEST(oversize_is_refused_as_soon_as_it_is_known),
        HTTP_TEST(as_many_headers_as_promised_are_taken),
        HTTP_TEST(a_large_body_is_refused_before_the_owner_sees_it),
        HTTP_TEST(a_route_may_allow_more),
        HTTP_TEST(a_client_still_uploading_can_read_the_refusal),
        HTTP_TEST(a_refused_upload_without_end_is_cut),
        HTTP_TEST(an_answer_before_the_body_closes_the_connection),
        HTTP_TEST(a_client_that_waits_for_leave_gets_it),
        HTTP_TEST(a_slow_head_is_told_and_closed),
        HTTP_TEST(a_head_that_trickles_is_slow_too),
        HTTP_TEST(a_slow_body_is_told_and_closed),
        HTTP_TEST(silent_connections_are_closed_silently),
        HTTP_TEST(an_owner_may_take_its_time),
        HTTP_TEST(too_many_connections_are_turned_away_early),
        HTTP_TEST(running_out_of_descriptors_is_survived),
        HTTP_TEST(idle_connections_are_light),
        HTTP_TEST(draining_closes_idle_ones_and_finishes_busy_ones),
        HTTP_TEST(draining_nothing_is_done_soon),
        HTTP_TEST(a_request_already_sent_survives_the_drain),
        HTTP_TEST(who_had_just_connected_may_still_ask_during_the_drain),
        HTTP_TEST(unix_sockets_serve_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
