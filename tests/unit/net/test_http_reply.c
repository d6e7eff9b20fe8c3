/* test_http_reply.c: answers whole and in pieces, and what the server adds to them. */
#include "http_harness.h"
#include "net/gzip.h"

#include <zlib.h>

static struct http_header headers[8];

/* Send `text`, hold the request, answer it with `answer`, wait for the answer's end. */
static struct client *exchange(const char *text, struct http_answer answer)
{
    struct client *client = connect_client();
    unsigned before = done;
    send_text(client, text);
    WAIT_FOR(held_count == 1);
    answer.headers = headers;
    http_reply(held[0], &answer);
    http_release(held[0]);
    held_count = 0;
    WAIT_FOR(done == before + 1);
    WAIT_FOR(client->got.len >= last_bytes_out);
    return client;
}

#define HOLD(more) "GET /hold HTTP/1.1\r\nHost: x\r\n" more "\r\n"

static void every_answer_says_when_and_which(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = exchange(HOLD(""), (struct http_answer){.status = 200});
    assert_true(has_text(client, "HTTP/1.1 200 OK\r\n"));
    assert_true(has_text(client, "\r\nDate: "));
    assert_true(has_text(client, " GMT\r\n"));
    assert_true(has_text(client, "\r\nContent-Length: 0\r\n"));
    assert_true(has_text(client, "\r\nX-Request-Id: "));
    assert_int_equal(last_bytes_out, client->got.len);
}

static void a_sound_request_id_is_taken_and_others_are_replaced(void **state)
{
    (void)state;
    start_tcp();
    struct client *client =
        exchange(HOLD("X-Request-Id: Ab.9_-\r\n"), (struct http_answer){.status = 200});
    assert_true(has_text(client, "X-Request-Id: Ab.9_-\r\n"));
    client = exchange(HOLD("X-Request-Id: a b\r\n"), (struct http_answer){.status = 200});
    assert_false(has_text(client, "a b"));
    client = exchange(
        HOLD("X-Request-Id: 12345678901234567890123456789012345678901234567890123456789012345\r\n"),
        (struct http_answer){.status = 200});
    assert_false(has_text(client, "12345678901234567890123"));
}

static void a_header_with_a_line_break_does_not_leave(void **state)
{
    (void)state;
    start_tcp();
    headers[0] = (struct http_header){SLICE("Location"), SLICE("/a\r\nSet-Cookie: evil=1")};
    headers[1] = (struct http_header){SLICE("Bad Name"), SLICE("x")};
    headers[2] = (struct http_header){SLICE("Content-Length"), SLICE("999")};
    headers[3] = (struct http_header){SLICE("X-Good"), SLICE("yes")};
    struct client *client =
        exchange(HOLD(""), (struct http_answer){.status = 302, .header_count = 4});
    assert_false(has_text(client, "evil"));
    assert_false(has_text(client, "Bad Name"));
    assert_false(has_text(client, "999"));
    assert_true(has_text(client, "X-Good: yes\r\n"));
}

static void head_gets_the_length_without_the_body(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = exchange("HEAD /hold HTTP/1.1\r\nHost: x\r\n\r\n",
                                     (struct http_answer){.status = 200, .body = SLICE("12345")});
    assert_true(has_text(client, "Content-Length: 5\r\n"));
    assert_false(has_text(client, "12345"));
}

static void no_content_has_neither_length_nor_body(void **state)
{
    (void)state;
    start_tcp();
    struct client *client =
        exchange(HOLD(""), (struct http_answer){.status = 204, .body = SLICE("12345")});
    assert_false(has_text(client, "Content-Length"));
    assert_false(has_text(client, "12345"));
}

static void an_impossible_status_is_our_fault(void **state)
{
    (void)state;
    start_tcp();
    assert_int_equal(status_of(exchange(HOLD(""), (struct http_answer){.status = 42})), 500);
}

static void a_known_version_is_not_sent_again(void **state)
{
    (void)state;
    static const struct {
        const char *condition;
        int status;
    } cases[] = {
        {HOLD("If-None-Match: \"v1\"\r\n"), 304},
        {HOLD("If-None-Match: W/\"v1\"\r\n"), 304},
        {HOLD("If-None-Match: \"a,b\", W/\"x\" , \"v1\"\r\n"), 304},
        {HOLD("If-None-Match: *\r\n"), 304},
        {HOLD("If-None-Match: \"v2\"\r\n"), 200},
        {HOLD("If-None-Match: v1\r\n"), 200},
        {HOLD("If-None-Match: \"v1\r\n"), 200},
        {HOLD("If-None-Match:\r\n"), 200},
        {"POST /hold HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"v1\"\r\n\r\n", 200},
    };
    start_tcp();
    headers[0] = (struct http_header){SLICE("ETag"), SLICE("\"v1\"")};
    headers[1] = (struct http_header){SLICE("Content-Type"), SLICE("text/plain")};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client *client =
            exchange(cases[i].condition,
                     (struct http_answer){.status = 200, .header_count = 2, .body = SLICE("new")});
        assert_int_equal(status_of(client), cases[i].status);
        assert_true(has_text(client, "ETag: \"v1\"\r\n"));
        assert_int_equal(has_text(client, "Content-Type"), cases[i].status == 200);
        assert_int_equal(has_text(client, "new"), cases[i].status == 200);
    }
    struct client *client = exchange(HOLD("If-None-Match: \"v1\"\r\n"),
                                     (struct http_answer){.status = 404, .header_count = 2});
    assert_int_equal(status_of(client), 404);
}

/* ---- gzip ---- */

static struct slice body_of(struct client *client)
{
    const char *text = text_of(client);
    const char *end = strstr(text, "\r\n\r\n");
    return slice_of(end + 4, client->got.len - (size_t)(end + 4 - text));
}

static bool unpacks_to(struct slice packed, struct slice expected)
{
    char *out = mem_alloc(expected.len + 1);
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)packed.data,
                       .avail_in = (uInt)packed.len,
                       .next_out = (Bytef *)out,
                       .avail_out = (uInt)expected.len + 1};
    inflateInit2(&stream, 15 + 16);
    bool same = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.total_out == expected.len &&
                memcmp(out, expected.data, expected.len) == 0;
    inflateEnd(&stream);
    free(out);
    return same;
}

static void large_text_is_packed_for_who_accepts_it(void **state)
{
    (void)state;
    char text[4000];
    struct http_answer answer = {
        .status = 200, .header_count = 2, .body = {text, sizeof text}, .may_compress = true};
    memset(text, 'a', sizeof text);
    start_tcp();
    headers[0] = (struct http_header){SLICE("ETag"), SLICE("\"v1\"")};
    headers[1] =
        (struct http_header){SLICE("Content-Type"), SLICE("application/json; charset=utf-8")};
    for (int round = 0; round < 2; round++) { /* the compressor is used again */
        struct client *client = exchange(HOLD("Accept-Encoding: br, gzip;q=0.5\r\n"), answer);
        assert_true(has_text(client, "Content-Encoding: gzip\r\n"));
        assert_true(has_text(client, "Vary: Accept-Encoding\r\n"));
        assert_true(has_text(client, "ETag: W/\"v1\"\r\n"));
        assert_true(unpacks_to(body_of(client), answer.body));
    }
    struct client *client = exchange(HOLD("Accept-Encoding: gzip;q=0\r\n"), answer);
    assert_false(has_text(client, "Content-Encoding"));
    assert_true(has_text(client, "Vary: Accept-Encoding\r\n"));
    assert_int_equal(body_of(client).len, sizeof text);

    client = exchange("HEAD /hold HTTP/1.1\r\nHost: x\r\nAccept-Encoding: *\r\n\r\n", answer);
    assert_true(has_text(client, "Content-Encoding: gzip\r\n"));
    assert_int_equal(body_of(client).len, 0);
}

static void what_gains_nothing_is_sent_as_it_is(void **state)
{
    (void)state;
    char text[4000];
    memset(text, 'a', sizeof text);
    start_tcp();
    headers[0] = (struct http_header){SLICE("Content-Type"), SLICE("image/png")};
    struct http_answer answer = {
        .status = 200, .header_count = 1, .body = {text, sizeof text}, .may_compress = true};
    assert_false(has_text(exchange(HOLD("Accept-Encoding: gzip\r\n"), answer), "gzip"));

    headers[0] = (struct http_header){SLICE("Content-Type"), SLICE("text/html")};
    answer.body.len = 1000; /* under 1 KiB */
    assert_false(has_text(exchange(HOLD("Accept-Encoding: gzip\r\n"), answer), "gzip"));
    answer.body.len = 4000;
    answer.may_compress = false;
    assert_false(has_text(exchange(HOLD("Accept-Encoding: gzip\r\n"), answer), "gzip"));
}

/* ---- problems ---- */

static struct client *refused(const char *more)
{
    struct client *client = connect_client();
    struct buf text = {0};
    buf_printf(&text, "GET /hold HTTP/1.1\r\nHost: x\r\n%s\r\n", more);
    send_bytes(client, text.data, text.len);
    buf_free(&text);
    WAIT_FOR(held_count == 1);
    http_reply_problem(held[0], 404, "not_found");
    http_release(held[0]);
    held_count = 0;
    WAIT_FOR(has_text(client, "\r\n\r\n"));
    WAIT_FOR(client->got.len >= last_bytes_out);
    return client;
}

static void a_problem_speaks_the_clients_language(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = refused("X-Request-Id: me\r\n");
    assert_true(has_text(client, "Content-Type: application/problem+json"));
    assert_true(has_text(client, "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                                 "\"code\":\"not_found\",\"detail\":\"Такой страницы нет.\","
                                 "\"request_id\":\"me\"}"));
    assert_true(has_text(refused("Accept-Language: en-US,en;q=0.9,ru;q=0.8\r\n"), "no such page"));
    assert_true(has_text(refused("Accept-Language: de, EN;q=0.1\r\n"), "no such page"));
    assert_true(has_text(refused("Accept-Language: ru,en;q=0.9\r\n"), "страницы"));
    assert_true(has_text(refused("Accept-Language: en;q=0\r\n"), "страницы"));
    assert_true(has_text(refused("Accept-Language: english\r\n"), "страницы"));
}

static void a_browser_gets_a_fragment(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = refused("HX-Request: true\r\n");
    assert_int_equal(status_of(client), 404);
    assert_true(has_text(client, "Content-Type: text/html"));
    assert_true(has_text(client, "<p>Такой страницы нет.</p>"));
    assert_true(has_text(refused("Accept: text/html,*/*\r\n"), "text/html"));
    assert_true(has_text(refused("Accept: text/html, application/json\r\n"), "problem+json"));
}

/* ---- streams ---- */

static struct client *open_stream(const char *text)
{
    struct client *client = connect_client();
    send_text(client, text);
    WAIT_FOR(held_count == 1);
    return client;
}

static void a_stream_is_chunked_and_the_connection_lives_on(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = open_stream("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(http_stream_write(held[0], SLICE("hello")), R_OK);
    assert_int_equal(http_stream_write(held[0], SLICE("")), R_OK);
    WAIT_FOR(has_text(client, "\r\n\r\n5\r\nhello\r\n"));
    assert_int_equal(done, 0);
    assert_int_equal(http_stream_write(held[0], SLICE("0123456789abcdef")), R_OK);
    http_stream_end(held[0]);
    assert_int_equal(http_stream_write(held[0], SLICE("late")), R_CLOSED);
    http_release(held[0]);
    WAIT_FOR(has_text(client, "10\r\n0123456789abcdef\r\n0\r\n\r\n"));
    WAIT_FOR(done == 1);
    assert_int_equal(last_bytes_out, client->got.len);
    send_text(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_FOR(has_text(client, "\r\n\r\nok"));
}

static void a_stream_for_http_1_0_ends_with_the_connection(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = open_stream("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    http_stream_write(held[0], SLICE("hello"));
    http_stream_end(held[0]);
    http_release(held[0]);
    WAIT_FOR(client->eof);
    assert_true(has_text(client, "\r\n\r\nhello"));
    assert_false(has_text(client, "chunked"));
}

static void head_of_a_stream_has_no_pieces(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = open_stream("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(http_stream_write(held[0], SLICE("hello")), R_OK);
    http_stream_end(held[0]);
    http_release(held[0]);
    send_text(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_FOR(has_text(client, "\r\n\r\nok"));
    assert_false(has_text(client, "hello"));
}

/* Nothing is left to be sent when such a stream ends: the end is noticed all the same. */
static void head_of_a_stream_that_ends_later_is_done(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = open_stream("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    WAIT_FOR(has_text(client, "\r\n\r\n"));
    assert_int_equal(done, 0);
    http_stream_end(held[0]);
    http_release(held[0]);
    WAIT_FOR(done == 1);
    assert_int_equal(last_status, 200);
    assert_int_equal(gone, 0);
}

static void the_end_of_a_stream_for_http_1_0_is_no_departure(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = open_stream("GET /stream HTTP/1.0\r\n\r\n");
    http_stream_write(held[0], SLICE("hello"));
    WAIT_FOR(has_text(client, "hello"));
    http_stream_end(held[0]);
    WAIT_FOR(client->eof);
    assert_int_equal(done, 1);
    assert_int_equal(last_status, 200);
    assert_int_equal(gone, 0); /* the client got all of it */
    http_release(held[0]);
}

static void count_drain(void *owner)
{
    ++*(unsigned *)owner;
}

static void a_slow_reader_is_felt(void **state)
{
    (void)state;
    static char piece[65536];
    unsigned drains = 0;
    start_tcp();
    open_stream("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    http_stream_on_drain(held[0], count_drain, &drains);
    size_t sent = 0;
    while (http_stream_write(held[0], slice_of(piece, sizeof piece)) == R_OK) {
        sent += sizeof piece;
        turn(false);
        assert_true(sent < 64 << 20);
    }
    for (int i = 0; i < 5; i++)
        turn(false);
    assert_int_equal(drains, 0); /* nobody reads */
    WAIT_FOR(drains == 1);       /* now the client does */
    assert_int_equal(http_stream_write(held[0], SLICE("more")), R_OK);
    http_stream_end(held[0]);
    http_release(held[0]);
    WAIT_FOR(done == 1);
    assert_int_equal(gone, 0);
    assert_int_equal(drains, 1);
}

static void a_reader_that_stopped_is_given_up(void **state)
{
    (void)state;
    static char piece[65536];
    limits.write_timeout_ms = 80;
    start_tcp();
    open_stream("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    while (http_stream_write(held[0], slice_of(piece, sizeof piece)) == R_OK)
        turn(false);
    for (int64_t until = now_ms() + 5000; !gone && now_ms() < until;)
        turn(false);
    assert_int_equal(gone, 1);
    assert_int_equal(done, 1);
    assert_int_equal(last_status, 200);
    assert_int_equal(http_stream_write(held[0], SLICE("x")), R_CLOSED);
    http_release(held[0]);
}

/* Who waits for room holds something for it: it is told also when there will never be any. */
static void a_writer_that_waits_is_told_of_the_end(void **state)
{
    (void)state;
    static char piece[65536];
    unsigned drains = 0;
    start_tcp();
    open_stream("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    while (http_stream_write(held[0], slice_of(piece, sizeof piece)) == R_OK)
        turn(false);
    http_stream_on_drain(held[0], count_drain, &drains);
    http_stream_abort(held[0]);
    http_release(held[0]);
    WAIT_FOR(done == 1);
    assert_int_equal(drains, 1);
}

static void a_broken_stream_cannot_be_mistaken_for_a_whole_one(void **state)
{
    (void)state;
    start_tcp();
    struct client *client = open_stream("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    http_stream_write(held[0], SLICE("half"));
    WAIT_FOR(has_text(client, "half"));
    http_stream_abort(held[0]);
    http_release(held[0]);
    WAIT_FOR(client->reset || client->eof);
    assert_true(client->reset);
    assert_false(has_text(client, "\r\n0\r\n"));
    assert_int_equal(done, 1);
    assert_int_equal(gone, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(every_answer_says_when_and_which),
        HTTP_TEST(a_sound_request_id_is_taken_and_others_are_replaced),
        HTTP_TEST(a_header_with_a_line_break_does_not_leave),
        HTTP_TEST(head_gets_the_length_without_the_body),
        HTTP_TEST(no_content_has_neither_length_nor_body),
        HTTP_TEST(an_impossible_status_is_our_fault),
        HTTP_TEST(a_known_version_is_not_sent_again),
        HTTP_TEST(large_text_is_packed_for_who_accepts_it),
        HTTP_TEST(what_gains_nothing_is_sent_as_it_is),
        HTTP_TEST(a_problem_speaks_the_clients_language),
        HTTP_TEST(a_browser_gets_a_fragment),
        HTTP_TEST(a_stream_is_chunked_and_the_connection_lives_on),
        HTTP_TEST(a_stream_for_http_1_0_ends_with_the_connection),
        HTTP_TEST(head_of_a_stream_has_no_pieces),
        HTTP_TEST(head_of_a_stream_that_ends_later_is_done),
        HTTP_TEST(the_end_of_a_stream_for_http_1_0_is_no_departure),
        HTTP_TEST(a_slow_reader_is_felt),
        HTTP_TEST(a_reader_that_stopped_is_given_up),
        HTTP_TEST(a_writer_that_waits_is_told_of_the_end),
        HTTP_TEST(a_broken_stream_cannot_be_mistaken_for_a_whole_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
