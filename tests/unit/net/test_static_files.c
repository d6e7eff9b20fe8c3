/* test_static_files.c: files from memory, as browsers fetch them. */
#include "http_harness.h"
#include "net/static_files.h"

static struct static_files *files;
static char script[3000];

static struct client *fetch(const char *line, const char *name, const char *more)
{
    struct client *client = connect_client();
    struct buf text = {0};
    buf_printf(&text, "%s /hold HTTP/1.1\r\nHost: x\r\n%s\r\n", line, more);
    send_bytes(client, text.data, text.len);
    buf_free(&text);
    WAIT_FOR(held_count == 1);
    if (!static_files_serve(files, held[0], slice_cstr(name)))
        http_reply_problem(held[0], 404, "not_found");
    http_release(held[0]);
    held_count = 0;
    WAIT_FOR(has_text(client, "\r\n\r\n") && client->got.len >= last_bytes_out);
    return client;
}

static int start(void **state)
{
    set_up(state);
    start_tcp();
    memset(script, 'x', sizeof script);
    files = static_files_new();
    static_files_add(files, SLICE("a.txt"), SLICE("0123456789"));
    static_files_add(files, SLICE("js/app.js"), slice_of(script, sizeof script));
    static_files_add(files, SLICE("empty.png"), SLICE(""));
    static_files_add(files, SLICE("a.txt"), SLICE("later"));
    return 0;
}

static int stop(void **state)
{
    static_files_free(files);
    return tear_down(state);
}

static void a_plain_name_is_revalidated(void **state)
{
    (void)state;
    struct client *client = fetch("GET", "a.txt", "");
    assert_int_equal(status_of(client), 200);
    assert_true(has_text(client, "Content-Type: text/plain; charset=utf-8\r\n"));
    assert_true(has_text(client, "Cache-Control: no-cache\r\n"));
    assert_true(has_text(client, "ETag: \"84d89877f0d4041efb6bf91a16f0248f\"\r\n"));
    assert_true(has_text(client, "\r\n\r\n0123456789"));
    client = fetch("GET", "a.txt", "If-None-Match: \"84d89877f0d4041efb6bf91a16f0248f\"\r\n");
    assert_int_equal(status_of(client), 304);
    assert_int_equal(status_of(fetch("GET", "b.txt", "")), 404);
    assert_int_equal(status_of(fetch("GET", "", "")), 404);
}

static void a_hashed_name_is_kept_for_ever(void **state)
{
    (void)state;
    struct client *client = fetch("GET", "a.84d89877.txt", "");
    assert_int_equal(status_of(client), 200);
    assert_true(has_text(client, "Cache-Control: public, max-age=31536000, immutable\r\n"));
    client = fetch("GET", "a.00000000.txt", ""); /* a page of another version */
    assert_int_equal(status_of(client), 200);
    assert_true(has_text(client, "Cache-Control: no-cache\r\n"));
    assert_int_equal(status_of(fetch("GET", "a.zzzzzzzz.txt", "")), 404);
    assert_int_equal(status_of(fetch("GET", ".84d89877.txt", "")), 404);
}

static void text_is_sent_packed(void **state)
{
    (void)state;
    struct client *plain = fetch("GET", "js/app.js", "");
    struct client *packed = fetch("GET", "js/app.js", "Accept-Encoding: gzip\r\n");
    assert_true(has_text(plain, "Content-Length: 3000\r\n"));
    assert_true(has_text(plain, "Vary: Accept-Encoding\r\n"));
    assert_true(has_text(packed, "Content-Encoding: gzip\r\n"));
    assert_true(has_text(packed, "-gz\"\r\n"));
    assert_true(packed->got.len < 600);
}

static void head_and_wrong_methods(void **state)
{
    (void)state;
    struct client *client = fetch("HEAD", "a.txt", "Range: bytes=0-1\r\n");
    assert_int_equal(status_of(client), 200);
    assert_true(has_text(client, "Content-Length: 10\r\n"));
    client = fetch("DELETE", "a.txt", "");
    assert_int_equal(status_of(client), 405);
    assert_true(has_text(client, "Allow: GET, HEAD, OPTIONS\r\n"));
}

static void parts_are_served(void **state)
{
    (void)state;
    static const struct {
        const char *range, *content_range, *body;
    } parts[] = {
        {"Range: bytes=0-3\r\n", "bytes 0-3/10", "0123"},
        {"Range: bytes=7-\r\n", "bytes 7-9/10", "789"},
        {"Range: bytes=8-99\r\n", "bytes 8-9/10", "89"},
        {"Range: bytes=-2\r\n", "bytes 8-9/10", "89"},
        {"Range: bytes=-99\r\n", "bytes 0-9/10", "0123456789"},
        {"Range: bytes=1-1\r\nIf-Range: \"84d89877f0d4041efb6bf91a16f0248f\"\r\n", "bytes 1-1/10",
         "1"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct client *client = fetch("GET", "a.txt", parts[i].range);
        assert_int_equal(status_of(client), 206);
        assert_true(has_text(client, parts[i].content_range));
        const char *body = strstr(text_of(client), "\r\n\r\n") + 4;
        assert_string_equal(body, parts[i].body);
    }
}

static void impossible_parts_are_refused_and_odd_ones_ignored(void **state)
{
    (void)state;
    static const char *const whole[] = {
        "Range: bytes=5-1\r\n",
        "Range: lines=0-1\r\n",
        "Range: bytes=0-1,3-4\r\n",
        "Range: bytes=-\r\n",
        "Range: bytes=a-b\r\n",
        "Range: bytes=0-1\r\nIf-Range: \"old\"\r\n",
        "Range: bytes=0-1\r\nIf-Range: W/\"84d89877f0d4041efb6bf91a16f0248f\"\r\n"};
    static const char *const beyond[] = {"Range: bytes=10-\r\n", "Range: bytes=-0\r\n"};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        assert_int_equal(status_of(fetch("GET", "a.txt", whole[i])), 200);
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        struct client *client = fetch("GET", "a.txt", beyond[i]);
        assert_int_equal(status_of(client), 416);
        assert_true(has_text(client, "Content-Range: bytes */10\r\n"));
    }
    assert_int_equal(status_of(fetch("GET", "empty.png", "Range: bytes=0-\r\n")), 416);
    assert_int_equal(status_of(fetch("GET", "empty.png", "")), 200);
}

#define FILES_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(a_plain_name_is_revalidated),
        FILES_TEST(a_hashed_name_is_kept_for_ever),
        FILES_TEST(text_is_sent_packed),
        FILES_TEST(head_and_wrong_methods),
        FILES_TEST(parts_are_served),
        FILES_TEST(impossible_parts_are_refused_and_odd_ones_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
