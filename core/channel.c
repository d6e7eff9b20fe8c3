/* channel.c: see channel.h. */
#include "channel.h"
#include "base/buf.h"
#include "base/mem.h"
#include "net/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS_MAX = 4, READ_CHUNK = 64 * 1024 };

struct header {
    uint32_t body_len;
    uint16_t kind, status;
    uint64_t number;
};

struct packet {
    struct buf bytes;
    size_t sent;
    int fd;
    struct packet *next;
};

struct channel {
    struct loop_fd *watch;
    int fd;
    struct channel_callbacks callbacks;
    struct buf in;
    int fds[FDS_MAX]; /* received, not claimed by a frame yet */
    unsigned fd_count;
    struct packet *out, **out_tail;
    size_t out_bytes;
    bool mute;    /* nothing more is written: the peer does not read, or is gone */
    bool reading; /* frames are being handed out: freeing waits */
    bool closed;
};

long channel_parse(struct slice input, struct channel_frame *frame)
{
    struct header header;

    if (input.len < sizeof header)
        return 0;
    memcpy(&header, input.data, sizeof header);
    if (header.kind == 0 || header.kind >= CHANNEL_KINDS || header.body_len > CHANNEL_BODY_MAX)
        return -1;
    if (input.len - sizeof header < header.body_len)
        return 0;
    frame->kind = header.kind;
    frame->status = header.status;
    frame->number = header.number;
    frame->body = slice_of(input.data + sizeof header, header.body_len);
    return (long)(sizeof header + header.body_len);
}

/* ---- reading ---- */

static void free_channel(struct channel *channel)
{
    while (channel->out) {
        struct packet *packet = channel->out;
        channel->out = packet->next;
        if (packet->fd >= 0)
            close(packet->fd);
        buf_free(&packet->bytes);
        free(packet);
    }
    while (channel->fd_count > 0)
        close(channel->fds[--channel->fd_count]);
    buf_free(&channel->in);
    free(channel);
}

static void keep_descriptors(struct channel *channel, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (channel->fd_count < FDS_MAX)
                channel->fds[channel->fd_count++] = fd;
            else
                close(fd);
        }
    }
}

static int claim_descriptor(struct channel *channel, enum channel_kind kind)
{
    if ((kind != CHANNEL_PREPARE && kind != CHANNEL_REPLAY) || channel->fd_count == 0)
        return -1;
    int fd = channel->fds[0];
    channel->fd_count--;
    memmove(channel->fds, channel->fds + 1, channel->fd_count * sizeof fd);
    return fd;
}

/* False once nothing more can come. */
static bool read_some(struct channel *channel)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * FDS_MAX)];
        struct cmsghdr align;
    } control;
    struct iovec space = {buf_reserve(&channel->in, READ_CHUNK), READ_CHUNK};
    struct msghdr message = {.msg_iov = &space,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};

    ssize_t n = recvmsg(channel->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    keep_descriptors(channel, &message);
    channel->in.len += (size_t)n;
    return n > 0;
}

/* False when the peer speaks nonsense. */
static bool hand_out_frames(struct channel *channel)
{
    struct slice rest = buf_slice(&channel->in);
    struct channel_frame frame;
    long taken = 0;

    while (!channel->closed && (taken = channel_parse(rest, &frame)) > 0) {
        rest = slice_from(rest, (size_t)taken);
        int fd = claim_descriptor(channel, frame.kind);
        channel->callbacks.on_frame(channel->callbacks.owner, &frame, fd);
    }
    buf_consume(&channel->in, channel->in.len - rest.len);
    return taken >= 0;
}

static void write_some(struct channel *channel);

static void on_ready(void *owner, int ready)
{
    struct channel *channel = owner;

    if (ready & LOOP_WRITE)
        write_some(channel);
    if (!(ready & LOOP_READ))
        return;
    channel->reading = true;
    bool open = read_some(channel);
    open = hand_out_frames(channel) && open;
    if (!open && !channel->closed) {
        loop_fd_want(channel->watch, 0);
        channel->mute = true;
        channel->callbacks.on_closed(channel->callbacks.owner);
    }
    channel->reading = false;
    if (channel->closed)
        free_channel(channel);
}

/* ---- writing ---- */

static ssize_t send_packet(struct channel *channel, const struct packet *packet)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec bytes = {packet->bytes.data + packet->sent, packet->bytes.len - packet->sent};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};

    if (packet->fd >= 0 && packet->sent == 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof packet->fd);
        memcpy(CMSG_DATA(c), &packet->fd, sizeof packet->fd);
    }
    return sendmsg(channel->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void drop_first(struct channel *channel)
{
    struct packet *packet = channel->out;
    channel->out = packet->next;
    if (!channel->out)
        channel->out_tail = &channel->out;
    channel->out_bytes -= packet->bytes.len;
    if (packet->fd >= 0)
        close(packet->fd);
    buf_free(&packet->bytes);
    free(packet);
}

/* A broken line shows itself to the reading side, which tells the owner; here it only falls silent.
 */
static void write_some(struct channel *channel)
{
    while (channel->out && !channel->mute) {
        ssize_t n = send_packet(channel, channel->out);
        if (n < 0) {
            channel->mute = errno != EAGAIN && errno != EINTR;
            break;
        }
        channel->out->sent += (size_t)n;
        if (channel->out->sent == channel->out->bytes.len)
            drop_first(channel);
    }
    loop_fd_want(channel->watch, LOOP_READ | (channel->out && !channel->mute ? LOOP_WRITE : 0));
}

void channel_send(struct channel *channel, const struct channel_frame *frame, int fd)
{
    struct header header = {(uint32_t)frame->body.len, (uint16_t)frame->kind,
                            (uint16_t)frame->status, frame->number};

    if (channel->mute || channel->closed)
        return;
    struct packet *packet = mem_new(struct packet);
    packet->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
    buf_append(&packet->bytes, &header, sizeof header);
    buf_append_slice(&packet->bytes, frame->body);
    *channel->out_tail = packet;
    channel->out_tail = &packet->next;
    channel->out_bytes += packet->bytes.len;
    channel->mute = channel->out_bytes > (size_t)CHANNEL_BODY_MAX * 2;
    if (channel->mute)
        shutdown(channel->fd, SHUT_RDWR);
    else
        write_some(channel);
}

/* ---- life ---- */

struct channel *channel_open(struct loop *loop, int fd, const struct channel_callbacks *callbacks)
{
    struct channel *channel = mem_new(struct channel);
    channel->fd = fd;
    channel->callbacks = *callbacks;
    channel->out_tail = &channel->out;
    channel->watch = loop_fd_new(loop, fd, on_ready, channel);
    loop_fd_want(channel->watch, LOOP_READ);
    return channel;
}

void channel_close(struct channel *channel)
{
    if (!channel || channel->closed)
        return;
    channel->closed = true;
    loop_fd_free(channel->watch);
    close(channel->fd);
    if (!channel->reading)
        free_channel(channel);
}

void channel_disown(struct channel *channel)
{
    if (channel)
        close(channel->fd);
}
