/* The HTTP client against real servers (fetch_peer.js), well-behaved and not. */
#include "net/fetch.h"
#include "base/buf.h"
#include "net/loop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct {
    char folder[64], ca_file[96];
    pid_t pid;
    int stop_fd;
    int plain, rude, modern, other_host; /* ports */
    struct loop *loop;
    struct fetch *fetch;
} world;

/* ---- asking ---- */

struct outcome {
    int done;
    enum result rc;
    int status;
    char code[48], text[400], body[4096], headers[4096];
    size_t body_len;
    int64_t connect_us;
    unsigned pieces;
    bool stop_early;
    struct fetch_call *call;
    unsigned *left; /* the loop stops when this many outcomes have come */
    unsigned left_alone;
};

static void copy(char *out, size_t size, struct slice from)
{
    size_t len = from.len < size - 1 ? from.len : size - 1;
    if (len > 0)
        memcpy(out, from.data, len);
    out[len] = '\0';
}

static void on_done(void *owner, enum result rc, const struct fetch_answer *answer,
                    const struct failure *why)
{
    struct outcome *out = owner;
    out->done++;
    out->rc = rc;
    if (answer) {
        struct buf headers = {0};
        for (unsigned i = 0; i < answer->header_count; i++) {
            buf_append_slice(&headers, answer->headers[i].name);
            buf_append_char(&headers, '=');
            buf_append_slice(&headers, answer->headers[i].value);
            buf_append_char(&headers, '\n');
        }
        copy(out->headers, sizeof out->headers, buf_slice(&headers));
        buf_free(&headers);
        out->status = answer->status;
        out->body_len = answer->body.len;
        out->connect_us = answer->connect_us;
        copy(out->body, sizeof out->body, answer->body);
    }
    if (why) {
        copy(out->code, sizeof out->code, slice_cstr(why->code));
        copy(out->text, sizeof out->text, slice_cstr(why->text));
    }
    if (--*out->left == 0)
        loop_stop(world.loop);
}

static bool on_piece(void *owner, struct slice piece)
{
    struct outcome *out = owner;
    out->pieces++;
    size_t have = strlen(out->body);
    copy(out->body + have, sizeof out->body - have, piece);
    return !out->stop_early;
}

static struct fetch_request request_for(const char *url)
{
    return (struct fetch_request){.method = SLICE("GET"),
                                  .url = slice_cstr(url),
                                  .timeout_ms = 20000,
                                  .max_body_bytes = 1 << 20};
}

static void start(struct fetch *fetch, const struct fetch_request *request, struct outcome *out,
                  struct fetch_call **call)
{
    struct failure why = {0};
    if (!out->left)
        out->left = &out->left_alone;
    ++*out->left;
    assert_int_equal(fetch_start(fetch, request, on_done, out, call, &why), R_OK);
    assert_int_equal(out->done, 0);
}

static struct outcome *ask_with(struct fetch *fetch, const struct fetch_request *request)
{
    static struct outcome out;
    out = (struct outcome){0};
    start(fetch, request, &out, NULL);
    loop_run(world.loop);
    assert_int_equal(out.done, 1);
    return &out;
}

static struct outcome *ask(const struct fetch_request *request)
{
    return ask_with(world.fetch, request);
}

static const char *url_of(int port, const char *path)
{
    static char urls[4][512];
    static unsigned next;
    char *url = urls[next++ % 4];
    snprintf(url, sizeof urls[0], "%s://localhost:%d%s",
             port == world.modern || port == world.other_host ? "https" : "http", port, path);
    return url;
}

static struct outcome *get(int port, const char *path)
{
    struct fetch_request request = request_for(url_of(port, path));
    return ask(&request);
}

static void assert_failed(const struct outcome *out, enum result rc, const char *code)
{
    assert_int_equal(out->rc, rc);
    assert_string_equal(out->code, code);
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("«%s» is not in «%s»", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("«%s» must not be in «%s»", part, text);
}

/* ---- answers ---- */

static void an_answer_comes_with_status_headers_and_body(void **state)
{
    (void)state;
    struct outcome *out = get(world.plain, "/hello");
    assert_int_equal(out->rc, R_OK);
    assert_int_equal(out->status, 200);
    assert_string_equal(out->body, "hello");
    assert_has(out->headers, "x-twice=one\nx-twice=two\n");
    out = get(world.plain, "/missing");
    assert_int_equal(out->status, 404);
    assert_string_equal(out->body, "no such thing");
    out = get(world.plain, "/none");
    assert_int_equal(out->status, 204);
    assert_int_equal(out->body_len, 0);
}

static void a_request_arrives_as_it_was_given(void **state)
{
    (void)state;
    struct http_header headers[] = {{SLICE("Content-Type"), SLICE("application/json")},
                                    {SLICE("X-Empty"), SLICE("")},
                                    {SLICE("Authorization"), SLICE("Bearer t")}};
    struct fetch_request request = request_for(url_of(world.plain, "/echo?a=%20b&filter[x]=1"));
    request.method = SLICE("POST");
    request.headers = headers;
    request.header_count = 3;
    request.body = SLICE("{\"a\":1}");
    struct outcome *out = ask(&request);
    assert_has(out->body, "POST /echo?a=%20b&filter[x]=1\n");
    assert_has(out->body, "content-type=application/json\n");
    assert_has(out->body, "x-empty=\n");
    assert_has(out->body, "authorization=Bearer t\n");
    assert_has(out->body, "content-length=7\n");
    assert_has(out->body, "user-agent=fura-test\n");
    assert_lacks(out->body, "expect=");
    assert_has(out->body, "\n\n{\"a\":1}");
}

static void every_method_goes_out_with_the_right_length(void **state)
{
    (void)state;
    static const struct {
        const char *method, *body, *length;
    } cases[] = {{"POST", "", "content-length=0\n"},    {"PUT", "x", "content-length=1\n"},
                 {"PATCH", "xy", "content-length=2\n"}, {"DELETE", "", NULL},
                 {"DELETE", "x", "content-length=1\n"}, {"OPTIONS", "", NULL},
                 {"GET", "q", "content-length=1\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fetch_request request = request_for(url_of(world.plain, "/echo"));
        request.method = slice_cstr(cases[i].method);
        request.body = slice_cstr(cases[i].body);
        struct outcome *out = ask(&request);
        assert_int_equal(out->rc, R_OK);
        assert_memory_equal(out->body, cases[i].method, strlen(cases[i].method));
        if (cases[i].length)
            assert_has(out->body, cases[i].length);
        else
            assert_lacks(out->body, "content-length");
        assert_lacks(out->body, "content-type");
    }
    struct fetch_request head = request_for(url_of(world.plain, "/hello"));
    head.method = SLICE("HEAD");
    struct outcome *out = ask(&head);
    assert_int_equal(out->status, 200);
    assert_int_equal(out->body_len, 0);
}

static void a_large_body_is_sent_whole(void **state)
{
    (void)state;
    size_t len = 3 << 20;
    char *body = malloc(len);
    memset(body, 'b', len);
    struct fetch_request request = request_for(url_of(world.plain, "/echo"));
    request.method = SLICE("POST");
    request.body = slice_of(body, len);
    request.max_body_bytes = 4 << 20;
    struct outcome *out = ask(&request);
    assert_has(out->body, "content-length=3145728\n");
    assert_true(out->body_len > len);
    free(body);
}

static void connections_are_reused(void **state)
{
    (void)state;
    get(world.plain, "/hello");
    int before = atoi(get(world.plain, "/connections")->body);
    struct outcome *out = get(world.plain, "/connections");
    assert_int_equal(atoi(out->body), before);
    assert_int_equal(out->connect_us, 0);
}

static void compressed_bodies_arrive_plain(void **state)
{
    (void)state;
    struct outcome *out = get(world.plain, "/gzip");
    assert_int_equal(out->rc, R_OK);
    assert_int_equal(out->body_len, 9000);
    assert_memory_equal(out->body, "squeezed squeezed", 17);
    assert_lacks(out->headers, "content-encoding");
    assert_lacks(out->headers, "content-length");
    assert_failed(get(world.plain, "/bad-gzip"), R_INVALID, "invalid_answer");
}

static void chunked_bodies_arrive_whole_and_trailers_are_no_headers(void **state)
{
    (void)state;
    struct outcome *out = get(world.plain, "/chunked");
    assert_string_equal(out->body, "one,two,three");
    assert_lacks(out->headers, "x-late");
}

static void pieces_come_as_they_arrive(void **state)
{
    (void)state;
    struct fetch_request request = request_for(url_of(world.plain, "/chunked"));
    request.on_piece = on_piece;
    struct outcome *out = ask(&request);
    assert_int_equal(out->rc, R_OK);
    assert_int_equal(out->body_len, 0);
    assert_true(out->pieces >= 2);
}

static void a_reader_may_stop_early(void **state)
{
    (void)state;
    static struct outcome out;
    struct fetch_request request = request_for(url_of(world.plain, "/huge"));
    request.on_piece = on_piece;
    out = (struct outcome){.stop_early = true};
    start(world.fetch, &request, &out, NULL);
    loop_run(world.loop);
    assert_int_equal(out.rc, R_OK);
    assert_int_equal(out.status, 200);
    assert_int_equal(out.pieces, 1);
}

static void only_the_last_response_counts(void **state)
{
    (void)state;
    struct outcome *out = get(world.rude, "/hints");
    assert_int_equal(out->status, 200);
    assert_string_equal(out->body, "ok");
    assert_has(out->headers, "x-late=2");
    assert_lacks(out->headers, "x-early");
    out = get(world.rude, "/folded");
    assert_has(out->headers, "x-long=first second\n");
}

/* ---- limits ---- */

static void a_body_over_the_limit_is_cut_off(void **state)
{
    (void)state;
    struct outcome *out = get(world.plain, "/huge");
    assert_failed(out, R_TOO_BIG, "too_big");
    assert_has(out->text, "localhost:");
    assert_failed(get(world.plain, "/bomb"), R_TOO_BIG, "too_big");
    struct fetch_request request = request_for(url_of(world.plain, "/hello"));
    request.max_body_bytes = 5;
    assert_int_equal(ask(&request)->rc, R_OK);
    request.max_body_bytes = 4;
    assert_failed(ask(&request), R_TOO_BIG, "too_big");
}

static void endless_headers_are_cut_off(void **state)
{
    (void)state;
    assert_failed(get(world.rude, "/endless-head"), R_TOO_BIG, "too_big");
    assert_failed(get(world.rude, "/long-line"), R_TOO_BIG, "too_big");
}

static void a_silent_server_is_left_at_the_deadline(void **state)
{
    (void)state;
    struct fetch_request request = request_for(url_of(world.plain, "/never?token=secret"));
    request.timeout_ms = 80;
    struct outcome *out = ask(&request);
    assert_failed(out, R_TIMEOUT, "timeout");
    assert_has(out->text, "waiting for the answer");
    assert_lacks(out->text, "secret");
    request.url = slice_cstr(url_of(world.plain, "/stuck"));
    out = ask(&request);
    assert_failed(out, R_TIMEOUT, "timeout");
    assert_has(out->text, "reading the answer");
}

/* ---- broken servers ---- */

static void half_an_answer_is_no_answer(void **state)
{
    (void)state;
    static const char *const paths[] = {"/half", "/half-chunk", "/close", "/reset"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_failed(get(world.rude, paths[i]), R_CLOSED, "closed");
    assert_failed(get(world.rude, "/garbage"), R_INVALID, "invalid_answer");
}

static void nobody_listening_is_told_apart_from_no_such_name(void **state)
{
    (void)state;
    struct fetch_request request = request_for("http://127.0.0.1:1/path?key=secret");
    struct outcome *out = ask(&request);
    assert_failed(out, R_UNAVAILABLE, "connect_failed");
    assert_has(out->text, "127.0.0.1:1: ");
    assert_lacks(out->text, "secret");
    request.url = SLICE("http://[::1]:1/");
    out = ask(&request);
    assert_failed(out, R_UNAVAILABLE, "connect_failed");
    assert_has(out->text, "[::1]:1: ");
    request.url = SLICE("http://no-such-host.invalid/");
    out = ask(&request);
    assert_failed(out, R_UNAVAILABLE, "dns_failed");
    assert_has(out->text, "no-such-host.invalid:80: ");
}

static int count_stale(void)
{
    return atoi(get(world.plain, "/stale-count")->body);
}

static void a_post_is_never_sent_twice(void **state)
{
    (void)state;
    struct fetch_request request = request_for(url_of(world.rude, "/stale"));
    int before = count_stale();
    request.method = SLICE("POST");
    request.body = SLICE("pay");
    assert_string_equal(ask(&request)->body, "first");
    assert_failed(ask(&request), R_CLOSED, "closed");
    assert_int_equal(count_stale(), before + 1);

    request.body = SLICE("");
    assert_string_equal(ask(&request)->body, "first");
    assert_string_equal(ask(&request)->body, "first"); /* on a connection of its own */
    assert_int_equal(count_stale(), before + 1);
}

static void a_post_takes_a_new_connection_when_the_server_closed_the_idle_one(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fetch_request request = request_for(url_of(world.rude, "/brief"));
        request.method = SLICE("POST");
        request.body = SLICE("pay");
        assert_string_equal(ask(&request)->body, "brief");
        get(world.plain, "/parallel"); /* by now the close has arrived */
    }
}

static void a_get_survives_a_stale_connection(void **state)
{
    (void)state;
    int before = count_stale();
    assert_string_equal(get(world.rude, "/stale")->body, "first");
    assert_string_equal(get(world.rude, "/stale")->body, "first");
    assert_true(count_stale() > before);
}

/* ---- redirects ---- */

static struct outcome *follow(int status, const char *method, int port, const char *to)
{
    static char path[512];
    struct http_header headers[] = {{SLICE("Authorization"), SLICE("Bearer t")}};
    snprintf(path, sizeof path, "/redirect/%d?to=%s", status, to);
    struct fetch_request request = request_for(url_of(port, path));
    request.method = slice_cstr(method);
    request.body = strcmp(method, "POST") == 0 ? SLICE("body") : SLICE("");
    request.max_redirects = 3;
    request.headers = headers;
    request.header_count = 1;
    return ask(&request);
}

static void a_redirect_is_an_answer_by_default(void **state)
{
    (void)state;
    struct outcome *out = get(world.plain, "/redirect/302?to=/hello");
    assert_int_equal(out->status, 302);
    assert_has(out->headers, "location=/hello\n");
    assert_string_equal(out->body, "a body that nobody wants");
}

static void redirects_are_followed_when_asked_for(void **state)
{
    (void)state;
    struct outcome *out = follow(302, "GET", world.plain, "/hello");
    assert_int_equal(out->status, 200);
    assert_string_equal(out->body, "hello");
    assert_lacks(out->headers, "x-hop");
    out = follow(303, "POST", world.plain, "/echo");
    assert_has(out->body, "GET /echo\n");
    assert_lacks(out->body, "content-length");
    out = follow(307, "POST", world.plain, "/echo");
    assert_has(out->body, "POST /echo\n");
    assert_has(out->body, "\n\nbody");
    assert_has(out->body, "authorization=");
}

static void authorization_stays_with_its_host(void **state)
{
    (void)state;
    char to[64];
    snprintf(to, sizeof to, "http://127.0.0.1:%d/echo", world.plain);
    struct outcome *out = follow(302, "GET", world.plain, to);
    assert_int_equal(out->status, 200);
    assert_lacks(out->body, "authorization");
}

static void bad_redirects_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"ftp://localhost/x", "file:///etc/passwd",
                                      "http://user:secret@localhost/"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct outcome *out = follow(302, "GET", world.plain, bad[i]);
        assert_failed(out, R_INVALID, "bad_redirect");
        assert_lacks(out->text, "secret");
    }
    assert_failed(follow(302, "GET", world.modern, url_of(world.plain, "/hello")), R_INVALID,
                  "bad_redirect");
    struct fetch_request request = request_for(url_of(world.plain, "/loop"));
    request.max_redirects = 5;
    assert_failed(ask(&request), R_INVALID, "bad_redirect");
}

/* ---- TLS and HTTP/2 ---- */

static void certificates_are_always_verified(void **state)
{
    (void)state;
    struct outcome *out = get(world.other_host, "/hello");
    assert_failed(out, R_UNAVAILABLE, "tls_failed");
    assert_has(out->text, "localhost:");

    struct fetch_options system_roots = {.max_per_host = 4, .max_in_flight = 10};
    struct fetch *strict = fetch_open(world.loop, &system_roots);
    struct fetch_request request = request_for(url_of(world.modern, "/hello"));
    assert_failed(ask_with(strict, &request), R_UNAVAILABLE, "tls_failed");
    request.url = slice_cstr(url_of(world.modern, "/hello"));
    fetch_close(strict);
    assert_string_equal(get(world.modern, "/hello")->body, "hello");

    char url[64];
    snprintf(url, sizeof url, "https://localhost:%d/", world.plain); /* speaks no TLS */
    request = request_for(url);
    assert_failed(ask(&request), R_UNAVAILABLE, "tls_failed");
}

static void http2_shares_one_connection(void **state)
{
    (void)state;
    enum { CALLS = 20 };
    static struct outcome outs[CALLS];
    unsigned left = 0;
    struct fetch_request request = request_for(url_of(world.modern, "/version"));
    for (unsigned i = 0; i < CALLS; i++) {
        outs[i] = (struct outcome){.left = &left};
        start(world.fetch, &request, &outs[i], NULL);
    }
    loop_run(world.loop);
    for (unsigned i = 0; i < CALLS; i++) {
        assert_int_equal(outs[i].rc, R_OK);
        assert_memory_equal(outs[i].body, "2.0 ", 4);
        assert_string_equal(outs[i].body, outs[0].body); /* no session was added meanwhile */
    }
}

/* ---- queueing, cancelling, closing ---- */

static void calls_beyond_the_connections_of_a_host_wait_their_turn(void **state)
{
    (void)state;
    enum { CALLS = 30 };
    static struct outcome outs[CALLS];
    unsigned left = 0;
    struct fetch_request request = request_for(url_of(world.plain, "/parallel"));
    for (unsigned i = 0; i < CALLS; i++) {
        outs[i] = (struct outcome){.left = &left};
        start(world.fetch, &request, &outs[i], NULL);
    }
    loop_run(world.loop);
    for (unsigned i = 0; i < CALLS; i++) {
        assert_int_equal(outs[i].rc, R_OK);
        assert_in_range(atoi(outs[i].body), 1, 4);
    }
}

static void waiting_for_a_connection_ends_at_the_deadline(void **state)
{
    (void)state;
    static struct outcome outs[6];
    unsigned left = 0, waited = 0;
    struct fetch_request request = request_for(url_of(world.plain, "/never"));
    request.timeout_ms = 100;
    for (unsigned i = 0; i < 6; i++) {
        outs[i] = (struct outcome){.left = &left};
        start(world.fetch, &request, &outs[i], NULL);
    }
    loop_run(world.loop);
    for (unsigned i = 0; i < 6; i++) {
        assert_failed(&outs[i], R_TIMEOUT, "timeout");
        waited += strstr(outs[i].text, "waiting for a free connection") != NULL;
    }
    assert_int_equal(waited, 2);
    assert_string_equal(get(world.plain, "/hello")->body, "hello");
}

static void too_many_calls_are_refused_at_once(void **state)
{
    (void)state;
    static struct outcome outs[40];
    unsigned left = 0, refused = 0;
    struct fetch_request request = request_for(url_of(world.plain, "/hello"));
    for (unsigned i = 0; i < 40; i++) {
        struct failure why = {0};
        outs[i] = (struct outcome){.left = &left};
        if (fetch_start(world.fetch, &request, on_done, &outs[i], NULL, &why) == R_OVERLOADED)
            refused++;
        else
            left++;
    }
    assert_int_equal(refused, 8);
    loop_run(world.loop);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(outs[i].done, i < 32);
}

static bool cancel_from_a_piece(void *owner, struct slice piece)
{
    (void)piece;
    fetch_cancel(((struct outcome *)owner)->call);
    return true;
}

static void a_cancelled_call_ends_once_wherever_it_was(void **state)
{
    (void)state;
    static struct outcome out;
    struct fetch_request request = request_for(url_of(world.plain, "/huge"));
    request.max_body_bytes = SIZE_MAX;

    out = (struct outcome){0};
    start(world.fetch, &request, &out, &out.call);
    fetch_cancel(out.call); /* before it was launched */
    fetch_cancel(out.call);
    loop_run(world.loop);
    assert_failed(&out, R_CANCELLED, "cancelled");

    out = (struct outcome){0};
    request.on_piece = cancel_from_a_piece; /* inside curl */
    start(world.fetch, &request, &out, &out.call);
    loop_run(world.loop);
    assert_failed(&out, R_CANCELLED, "cancelled");
    assert_int_equal(out.done, 1);
}

static void closing_fails_what_is_in_flight(void **state)
{
    (void)state;
    static struct outcome outs[3];
    unsigned left = 1; /* the loop is never told to stop */
    struct fetch_options options = {.max_per_host = 1, .max_in_flight = 10};
    struct fetch *fetch = fetch_open(world.loop, &options);
    struct fetch_request request = request_for(url_of(world.plain, "/never"));
    for (unsigned i = 0; i < 3; i++) {
        outs[i] = (struct outcome){.left = &left};
        start(fetch, &request, &outs[i], NULL);
    }
    struct outcome *out = get(world.plain, "/hello"); /* meanwhile the calls get under way */
    assert_int_equal(out->rc, R_OK);
    fetch_close(fetch);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(outs[i].done, 1);
        assert_failed(&outs[i], R_CLOSED, "closed");
    }
}

static void on_done_close(void *owner, enum result rc, const struct fetch_answer *answer,
                          const struct failure *why)
{
    (void)answer, (void)why;
    assert_int_equal(rc, R_OK);
    fetch_close(owner);
    loop_stop(world.loop);
}

static void the_client_may_be_closed_when_a_call_ends(void **state)
{
    (void)state;
    struct fetch_options options = {.max_per_host = 1, .max_in_flight = 10};
    struct fetch *fetch = fetch_open(world.loop, &options);
    struct fetch_request request = request_for(url_of(world.plain, "/hello"));
    assert_int_equal(fetch_start(fetch, &request, on_done_close, fetch, NULL, NULL), R_OK);
    loop_run(world.loop);
}

/* ---- refusals ---- */

static void assert_refused(const struct fetch_request *request, const char *code)
{
    struct outcome out = {0};
    struct failure why = {0};
    assert_int_equal(fetch_start(world.fetch, request, on_done, &out, NULL, &why), R_INVALID);
    assert_string_equal(why.code, code);
    assert_lacks(why.text, "secret");
}

static void urls_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "localhost",
                                      "/path",
                                      "ftp://localhost/",
                                      "http://",
                                      "file:///etc/passwd",
                                      "http://user:secret@localhost/",
                                      "http://localhost/a b",
                                      "http://localhost/\r\nX: 1",
                                      "http://localhost:99999/",
                                      "http://h\xc3\xb6st/",
                                      "gopher://x/"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fetch_request request = request_for(bad[i]);
        assert_refused(&request, "invalid_url");
    }
    struct fetch_request request = request_for("");
    request.url = slice_of("http://localhost\0.evil/", 23);
    assert_refused(&request, "invalid_url");
}

static void methods_and_headers_are_checked(void **state)
{
    (void)state;
    static const char *const methods[] = {"",        "GET /x",  "get",
                                          "CONNECT", "G\r\nET", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"};
    const struct http_header headers[] = {
        {SLICE("X"), SLICE("a\r\nY: b")},
        {SLICE("X"), SLICE("a\nb")},
        {SLICE("X"), SLICE("nul\0nul")},
        {SLICE("X Y"), SLICE("a")},
        {SLICE("X:"), SLICE("a")},
        {SLICE(""), SLICE("a")},
        {SLICE("Content-Length"), SLICE("9")},
        {SLICE("transfer-encoding"), SLICE("chunked")},
    };
    struct fetch_request request = request_for(url_of(world.plain, "/hello"));
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        request.method = slice_cstr(methods[i]);
        assert_refused(&request, "invalid_request");
    }
    request.method = SLICE("GET");
    request.header_count = 1;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        request.headers = &headers[i];
        assert_refused(&request, "invalid_request");
    }
}

/* ---- the world ---- */

static void run(const char *format, ...)
{
    char command[512];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    assert_int_equal(system(command), 0);
}

static void make_certificates(void)
{
    static const char *const names[][2] = {{"good", "DNS:localhost,IP:127.0.0.1"},
                                           {"other", "DNS:other.example"}};
    for (unsigned i = 0; i < 2; i++)
        run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
            "-subj /CN=test-%s -addext subjectAltName=%s -keyout %s/%s.key -out %s/%s.crt "
            "2>/dev/null",
            names[i][0], names[i][1], world.folder, names[i][0], world.folder, names[i][0]);
    run("cat %s/good.crt %s/other.crt > %s", world.folder, world.folder, world.ca_file);
}

static void start_peer(void)
{
    int in[2], out[2];
    assert_int_equal(pipe(in) | pipe(out), 0);
    world.pid = fork();
    if (world.pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execlp("node", "node", "tests/unit/net/fetch_peer.js", world.folder, NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    world.stop_fd = in[1];
    FILE *ports = fdopen(out[0], "r");
    assert_int_equal(
        fscanf(ports, "%d %d %d %d", &world.plain, &world.rude, &world.modern, &world.other_host),
        4);
    fclose(ports);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    snprintf(world.folder, sizeof world.folder, "/tmp/fura-fetch-XXXXXX");
    assert_non_null(mkdtemp(world.folder));
    snprintf(world.ca_file, sizeof world.ca_file, "%s/roots.crt", world.folder);
    make_certificates();
    start_peer();
    world.loop = loop_new();
    struct fetch_options options = {.max_per_host = 4,
                                    .max_in_flight = 32,
                                    .ca_file = world.ca_file,
                                    .user_agent = "fura-test"};
    world.fetch = fetch_open(world.loop, &options);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fetch_close(world.fetch);
    loop_free(world.loop);
    close(world.stop_fd); /* the peer ends with its stdin */
    waitpid(world.pid, NULL, 0);
    run("rm -r %s", world.folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_with_status_headers_and_body),
        cmocka_unit_test(a_request_arrives_as_it_was_given),
        cmocka_unit_test(every_method_goes_out_with_the_right_length),
        cmocka_unit_test(a_large_body_is_sent_whole),
        cmocka_unit_test(connections_are_reused),
        cmocka_unit_test(compressed_bodies_arrive_plain),
        cmocka_unit_test(chunked_bodies_arrive_whole_and_trailers_are_no_headers),
        cmocka_unit_test(pieces_come_as_they_arrive),
        cmocka_unit_test(a_reader_may_stop_early),
        cmocka_unit_test(only_the_last_response_counts),
        cmocka_unit_test(a_body_over_the_limit_is_cut_off),
        cmocka_unit_test(endless_headers_are_cut_off),
        cmocka_unit_test(a_silent_server_is_left_at_the_deadline),
        cmocka_unit_test(half_an_answer_is_no_answer),
        cmocka_unit_test(nobody_listening_is_told_apart_from_no_such_name),
        cmocka_unit_test(a_post_is_never_sent_twice),
        cmocka_unit_test(a_post_takes_a_new_connection_when_the_server_closed_the_idle_one),
        cmocka_unit_test(a_get_survives_a_stale_connection),
        cmocka_unit_test(a_redirect_is_an_answer_by_default),
        cmocka_unit_test(redirects_are_followed_when_asked_for),
        cmocka_unit_test(authorization_stays_with_its_host),
        cmocka_unit_test(bad_redirects_are_refused),
        cmocka_unit_test(certificates_are_always_verified),
        cmocka_unit_test(http2_shares_one_connection),
        cmocka_unit_test(calls_beyond_the_connections_of_a_host_wait_their_turn),
        cmocka_unit_test(waiting_for_a_connection_ends_at_the_deadline),
        cmocka_unit_test(too_many_calls_are_refused_at_once),
        cmocka_unit_test(a_cancelled_call_ends_once_wherever_it_was),
        cmocka_unit_test(closing_fails_what_is_in_flight),
        cmocka_unit_test(the_client_may_be_closed_when_a_call_ends),
        cmocka_unit_test(urls_are_checked),
        cmocka_unit_test(methods_and_headers_are_checked),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
