/* The line between master and worker over a real socket pair. */
#include "channel.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

enum { BIG = 3 * 1024 * 1024 };

struct ends {
    struct loop *loop;
    struct channel *here, *there;
    int raw; /* the far end as a plain descriptor, when `there` is NULL */
    unsigned frames, closed;
    struct channel_frame last;
    struct buf body;
    int fd;
    bool close_on_frame;
};

static void on_frame(void *owner, const struct channel_frame *frame, int fd)
{
    struct ends *ends = owner;
    ends->frames++;
    ends->last = *frame;
    buf_clear(&ends->body);
    buf_append_slice(&ends->body, frame->body);
    if (fd >= 0)
        ends->fd = fd;
    if (ends->close_on_frame) {
        channel_close(ends->here);
        ends->here = NULL;
    }
    loop_stop(ends->loop);
}

static void on_closed(void *owner)
{
    struct ends *ends = owner;
    ends->closed++;
    loop_stop(ends->loop);
}

static void nobody_speaks(void *owner, const struct channel_frame *frame, int fd)
{
    (void)owner, (void)frame, (void)fd;
    fail();
}

static void nobody_cares(void *owner)
{
    (void)owner;
}

static struct ends open_ends(void)
{
    struct ends ends = {.loop = loop_new(), .fd = -1, .raw = -1};
    return ends;
}

static void join(struct ends *ends, bool raw)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    ends->here =
        channel_open(ends->loop, pair[0], &(struct channel_callbacks){on_frame, on_closed, ends});
    if (raw)
        ends->raw = pair[1];
    else
        ends->there = channel_open(ends->loop, pair[1],
                                   &(struct channel_callbacks){nobody_speaks, nobody_cares, ends});
}

static void close_ends(struct ends *ends)
{
    channel_close(ends->here);
    channel_close(ends->there);
    if (ends->raw >= 0)
        close(ends->raw);
    buf_free(&ends->body);
    loop_free(ends->loop);
}

static void a_frame_arrives_as_it_was_sent(void **state)
{
    struct ends ends = open_ends();
    (void)state;
    join(&ends, false);
    channel_send(ends.there,
                 &(struct channel_frame){CHANNEL_PREPARED, 1, 1ull << 40, SLICE("words")}, -1);
    loop_run(ends.loop);
    assert_int_equal(ends.last.kind, CHANNEL_PREPARED);
    assert_int_equal(ends.last.status, 1);
    assert_true(ends.last.number == 1ull << 40);
    assert_true(slice_eq(buf_slice(&ends.body), SLICE("words")));
    close_ends(&ends);
}

static void a_descriptor_travels_with_its_frame(void **state)
{
    struct ends ends = open_ends();
    int pipe_ends[2];
    char byte = 0;
    (void)state;
    join(&ends, false);
    assert_int_equal(pipe(pipe_ends), 0);
    channel_send(ends.there, &(struct channel_frame){CHANNEL_HEARTBEAT, 0, 1, SLICE("")}, -1);
    channel_send(ends.there, &(struct channel_frame){CHANNEL_PREPARE, 0, 2, SLICE("")},
                 pipe_ends[0]);
    close(pipe_ends[0]); /* the channel keeps what it needs */
    while (ends.fd < 0)
        loop_run(ends.loop);
    assert_int_equal(ends.last.number, 2);
    assert_int_equal(write(pipe_ends[1], "x", 1), 1);
    assert_int_equal(read(ends.fd, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(ends.fd);
    close(pipe_ends[1]);
    close_ends(&ends);
}

static void a_body_larger_than_the_socket_takes_arrives_whole(void **state)
{
    struct ends ends = open_ends();
    char *big = mem_alloc(BIG);
    (void)state;
    join(&ends, false);
    memset(big, 'z', BIG);
    channel_send(ends.there, &(struct channel_frame){CHANNEL_REPLY, 0, 1, slice_of(big, BIG)}, -1);
    loop_run(ends.loop);
    assert_int_equal(ends.body.len, BIG);
    assert_memory_equal(ends.body.data, big, BIG);
    free(big);
    close_ends(&ends);
}

static void nonsense_closes_the_line_once(void **state)
{
    struct ends ends = open_ends();
    char nonsense[64];
    (void)state;
    join(&ends, true);
    memset(nonsense, 0xff, sizeof nonsense);
    assert_int_equal(write(ends.raw, nonsense, sizeof nonsense), sizeof nonsense);
    loop_run(ends.loop);
    assert_int_equal(ends.closed, 1);
    assert_int_equal(ends.frames, 0);
    close_ends(&ends);
}

static void the_end_of_the_other_side_is_told_after_its_last_frame(void **state)
{
    struct ends ends = open_ends();
    (void)state;
    join(&ends, false);
    channel_send(ends.there, &(struct channel_frame){CHANNEL_HEARTBEAT, 0, 1, SLICE("")}, -1);
    channel_close(ends.there);
    ends.there = NULL;
    while (!ends.closed)
        loop_run(ends.loop);
    assert_int_equal(ends.frames, 1);
    close_ends(&ends);
}

static void the_owner_may_close_inside_the_callback(void **state)
{
    struct ends ends = open_ends();
    (void)state;
    join(&ends, false);
    ends.close_on_frame = true;
    channel_send(ends.there, &(struct channel_frame){CHANNEL_HEARTBEAT, 0, 1, SLICE("")}, -1);
    channel_send(ends.there, &(struct channel_frame){CHANNEL_HEARTBEAT, 0, 2, SLICE("")}, -1);
    loop_run(ends.loop);
    assert_int_equal(ends.frames, 1);
    close_ends(&ends);
}

static void a_peer_that_never_reads_counts_as_gone(void **state)
{
    struct ends ends = open_ends();
    char *big = mem_zalloc(BIG);
    (void)state;
    join(&ends, true);
    for (int i = 0; i < 8; i++)
        channel_send(ends.here, &(struct channel_frame){CHANNEL_REPLY, 0, 1, slice_of(big, BIG)},
                     -1);
    loop_run(ends.loop);
    assert_int_equal(ends.closed, 1);
    free(big);
    close_ends(&ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_arrives_as_it_was_sent),
        cmocka_unit_test(a_descriptor_travels_with_its_frame),
        cmocka_unit_test(a_body_larger_than_the_socket_takes_arrives_whole),
        cmocka_unit_test(nonsense_closes_the_line_once),
        cmocka_unit_test(the_end_of_the_other_side_is_told_after_its_last_frame),
        cmocka_unit_test(the_owner_may_close_inside_the_callback),
        cmocka_unit_test(a_peer_that_never_reads_counts_as_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
