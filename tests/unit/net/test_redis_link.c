/* Servers that misbehave: a real Redis cannot be made to do these things. The peer here says what it is told to, once
 * for each time it is spoken to. */
#include "support/redis_probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct peer {
    char folder[40], path[64];
    int listener, fd; /* fd: the newest connection */
    struct loop_fd *accepting, *reading;
    unsigned connections, said;
    const char *const *lines; /* of each connection; NULL ends: silent from there on */
};

static void drop_connection(struct peer *peer)
{
    loop_fd_free(peer->reading);
    if (peer->fd >= 0)
        close(peer->fd);
    peer->reading = NULL;
    peer->fd = -1;
}

static void on_spoken_to(void *owner, int ready)
{
    (void)ready;
    struct peer *peer = owner;
    char heard[4096];
    if (recv(peer->fd, heard, sizeof heard, MSG_DONTWAIT) <= 0) {
        drop_connection(peer);
        return;
    }
    const char *line = peer->lines[peer->said];
    if (!line)
        return;
    peer->said++;
    probe_wake();
    send(peer->fd, line, strlen(line), MSG_NOSIGNAL);
}

static void on_visitor(void *owner, int ready)
{
    (void)ready;
    struct peer *peer = owner;
    drop_connection(peer);
    peer->fd = accept(peer->listener, NULL, NULL);
    peer->connections++;
    peer->said = 0;
    peer->reading = loop_fd_new(probe_loop, peer->fd, on_spoken_to, peer);
    loop_fd_want(peer->reading, LOOP_READ);
    probe_wake();
}

static int begin(void **state)
{
    probe_begin();
    struct peer *peer = calloc(1, sizeof *peer);
    peer->fd = -1;
    snprintf(peer->folder, sizeof peer->folder, "/tmp/fura-peer-XXXXXX");
    assert_non_null(mkdtemp(peer->folder));
    snprintf(peer->path, sizeof peer->path, "%s/sock", peer->folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", peer->path);
    peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(peer->listener, 8), 0);
    peer->accepting = loop_fd_new(probe_loop, peer->listener, on_visitor, peer);
    loop_fd_want(peer->accepting, LOOP_READ);
    *state = peer;
    return 0;
}

static int end(void **state)
{
    struct peer *peer = *state;
    drop_connection(peer);
    loop_fd_free(peer->accepting);
    close(peer->listener);
    unlink(peer->path);
    rmdir(peer->folder);
    free(peer);
    probe_end();
    return 0;
}

static struct redis *open_peer(struct peer *peer, unsigned connect_timeout_ms)
{
    char url[96];
    snprintf(url, sizeof url, "unix://%s", peer->path);
    return probe_open_with(&(struct redis_options){
        .url = url, .connect_timeout_ms = connect_timeout_ms, .max_in_flight = 100});
}

static void bytes_that_are_no_reply_end_the_connection(void **state)
{
    struct peer *peer = *state;
    peer->lines = (const char *const[]){"+PONG\r\n", "garbage\r\n", NULL};
    struct redis *redis = open_peer(peer, 2000);
    struct probe first = {0}, second = {0};
    probe_send(redis, &first, 5000, "GET", "a", NULL);
    probe_send(redis, &second, 5000, "GET", "b", NULL);
    probe_until(&second.answers);
    assert_int_equal(first.rc, R_INVALID);
    assert_int_equal(second.rc, R_CLOSED);
    probe_await_state(redis, true);
    assert_int_equal(peer->connections, 2);
    redis_close(redis);
}

static void a_reply_nobody_asked_for_ends_the_connection(void **state)
{
    struct peer *peer = *state;
    peer->lines = (const char *const[]){"+PONG\r\n+SURPRISE\r\n", NULL};
    struct redis *redis = open_peer(peer, 2000);
    probe_until_count(&peer->connections, 2);
    redis_close(redis);
}

static void a_peer_that_never_greets_is_unavailable(void **state)
{
    struct peer *peer = *state;
    peer->lines = (const char *const[]){NULL};
    struct redis *redis = open_peer(peer, 50);
    assert_int_equal(probe_ask(redis, "GET", "a", NULL).rc, R_UNAVAILABLE);
    probe_until_count(&peer->connections, 2);
    redis_close(redis);
}

static void a_server_that_loads_its_data_is_waited_for(void **state)
{
    struct peer *peer = *state;
    peer->lines =
        (const char *const[]){"-LOADING Redis is loading the dataset in memory\r\n", NULL};
    struct redis *redis = open_peer(peer, 2000);
    assert_int_equal(probe_ask(redis, "GET", "a", NULL).rc, R_UNAVAILABLE);
    peer->lines = (const char *const[]){"+PONG\r\n", "$1\r\n7\r\n", NULL};
    probe_await_state(redis, true);
    assert_string_equal(probe_ask(redis, "GET", "a", NULL).text, "7");
    redis_close(redis);
}

static void a_server_that_begins_to_load_is_left_until_done(void **state)
{
    struct peer *peer = *state;
    peer->lines = (const char *const[]){"+PONG\r\n", "-LOADING Redis is loading\r\n", NULL};
    struct redis *redis = open_peer(peer, 2000);
    struct probe probe = probe_ask(redis, "GET", "a", NULL);
    assert_int_equal(probe.rc, R_OK);
    assert_int_equal(probe.type, REDIS_REPLY_ERROR);
    assert_false(redis_is_up(redis));
    probe_until_count(&peer->connections, 2);
    redis_close(redis);
}

static void replies_in_small_pieces_are_put_together(void **state)
{
    struct peer *peer = *state;
    peer->lines = (const char *const[]){"+PO", NULL};
    struct redis *redis = open_peer(peer, 2000);
    struct probe probe = {0};
    probe_send(redis, &probe, 5000, "GET", "a", NULL);
    probe_until(&peer->said);
    send(peer->fd, "NG\r\n", 4, MSG_NOSIGNAL);
    probe_await_state(redis, true);
    send(peer->fd, "$5\r\nhel", 7, MSG_NOSIGNAL);
    send(peer->fd, "lo\r\n", 4, MSG_NOSIGNAL);
    probe_until(&probe.answers);
    assert_string_equal(probe.text, "hello");
    redis_close(redis);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_that_are_no_reply_end_the_connection),
        TEST(a_reply_nobody_asked_for_ends_the_connection),
        TEST(a_peer_that_never_greets_is_unavailable),
        TEST(a_server_that_loads_its_data_is_waited_for),
        TEST(a_server_that_begins_to_load_is_left_until_done),
        TEST(replies_in_small_pieces_are_put_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
