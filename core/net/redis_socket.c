/* redis_socket.c: see redis_socket.h. */
#include "net/redis_socket.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/redis_conn.h"
#include "net/resolve.h"
#include "net/tls_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

enum { ADDRESSES_MAX = 16, KEEPALIVE_S = 15, KEEPALIVE_TRIES = 3 };

struct redis_socket {
    const struct redis_conn_spec *spec;
    const struct redis_socket_events *events;
    void *owner;
    char *host; /* a path when `port` is 0 */
    uint16_t port;
    struct resolve_question *question;
    struct loop_later start;
    struct resolve_address addresses[ADDRESSES_MAX];
    unsigned count, first, tried;
    int fd, last_errno;
    struct loop_fd *watch;
    struct tls_stream *tls;
    void (*step)(struct redis_socket *socket, int ready); /* what readiness means now */
    char error[300];
};

static void try_next(struct redis_socket *socket);

static void report_failure(struct redis_socket *socket, enum result rc, const char *text)
{
    struct failure why;
    if (socket->port == 0)
        fail(&why, rc, "%s: %s", socket->host, text);
    else
        fail(&why, rc, "%s port %u: %s", socket->host, socket->port, text);
    socket->events->failed(socket->owner, &why); /* may close the socket */
}

static void drop_fd(struct redis_socket *socket)
{
    tls_stream_free(socket->tls);
    loop_fd_free(socket->watch);
    if (socket->fd >= 0)
        close(socket->fd);
    socket->tls = NULL;
    socket->watch = NULL;
    socket->fd = -1;
}

/* ---- once connected ---- */

static void on_traffic(struct redis_socket *socket, int ready)
{
    /* TLS may need to read in order to write and the other way round, so either wakes both. */
    bool writable = ready & LOOP_WRITE || socket->tls;
    if (ready & LOOP_WRITE)
        loop_fd_want(socket->watch, LOOP_READ);
    socket->events->ready(socket->owner, writable);
}

static void become_connected(struct redis_socket *socket)
{
    socket->step = on_traffic;
    loop_fd_want(socket->watch, LOOP_READ);
    socket->events->connected(socket->owner);
}

static void on_handshake(struct redis_socket *socket, int ready)
{
    (void)ready;
    char text[256];
    switch (tls_stream_handshake(socket->tls)) {
    case TLS_DONE:
        become_connected(socket);
        return;
    case TLS_WANT_READ:
        loop_fd_want(socket->watch, LOOP_READ);
        return;
    case TLS_WANT_WRITE:
        loop_fd_want(socket->watch, LOOP_WRITE);
        return;
    default:
        snprintf(text, sizeof text, "TLS: %s", tls_stream_error(socket->tls));
        report_failure(socket, R_UNAVAILABLE, text);
    }
}

static void on_connect(struct redis_socket *socket, int ready)
{
    (void)ready;
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0) {
        socket->last_errno = error;
        drop_fd(socket);
        try_next(socket);
        return;
    }
    if (!socket->spec->tls) {
        become_connected(socket);
        return;
    }
    socket->tls = tls_stream_new(socket->spec->tls, socket->fd, socket->host);
    socket->step = on_handshake;
    on_handshake(socket, 0);
}

static void on_ready(void *owner, int ready)
{
    struct redis_socket *socket = owner;
    socket->step(socket, ready);
}

/* ---- connecting ---- */

static void set_tcp_options(int fd)
{
    int on = 1, seconds = KEEPALIVE_S, tries = KEEPALIVE_TRIES;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
}

static bool begin_connect(struct redis_socket *sock, const struct resolve_address *address)
{
    int family = address->storage.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        sock->last_errno = errno;
        return false;
    }
    if (family != AF_UNIX)
        set_tcp_options(fd);
    const struct sockaddr *where = (const struct sockaddr *)&address->storage;
    if (connect(fd, where, address->len) < 0 && errno != EINPROGRESS) {
        sock->last_errno = errno;
        close(fd);
        return false;
    }
    sock->fd = fd;
    sock->step = on_connect;
    sock->watch = loop_fd_new(sock->spec->loop, fd, on_ready, sock);
    loop_fd_want(sock->watch, LOOP_WRITE);
    return true;
}

static void try_next(struct redis_socket *socket)
{
    while (socket->tried < socket->count) {
        unsigned index = (socket->first + socket->tried++) % socket->count;
        if (begin_connect(socket, &socket->addresses[index]))
            return;
    }
    report_failure(socket, R_UNAVAILABLE, strerror(socket->last_errno));
}

static void on_addresses(void *owner, enum result rc, const struct resolve_address *addresses,
                         unsigned count)
{
    struct redis_socket *socket = owner;
    socket->question = NULL;
    if (rc != R_OK) {
        report_failure(socket, R_UNAVAILABLE,
                       rc == R_NOT_FOUND ? "no such host" : "no name server answered");
        return;
    }
    socket->count = count < ADDRESSES_MAX ? count : ADDRESSES_MAX;
    memcpy(socket->addresses, addresses, socket->count * sizeof *addresses);
    try_next(socket);
}

static void on_start(void *owner)
{
    try_next(owner);
}

static void use_path(struct redis_socket *socket)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&socket->addresses[0].storage;
    un->sun_family = AF_UNIX;
    snprintf(un->sun_path, sizeof un->sun_path, "%s", socket->host);
    socket->addresses[0].len = sizeof *un;
    socket->count = 1;
    loop_later(socket->spec->loop, &socket->start, on_start, socket);
}

struct redis_socket *redis_socket_open(const struct redis_conn_spec *spec,
                                       const struct redis_endpoint *endpoint, unsigned turn,
                                       const struct redis_socket_events *events, void *owner)
{
    struct redis_socket *socket = mem_new(struct redis_socket);
    socket->spec = spec;
    socket->events = events;
    socket->owner = owner;
    socket->host = mem_strdup(endpoint->host);
    socket->port = endpoint->port;
    socket->first = turn;
    socket->fd = -1;
    if (socket->port == 0)
        use_path(socket);
    else
        socket->question =
            resolve_ask(spec->resolve, socket->host, socket->port, on_addresses, socket);
    return socket;
}

void redis_socket_close(struct redis_socket *socket)
{
    if (!socket)
        return;
    if (socket->question)
        resolve_forget(socket->question);
    loop_later_cancel(&socket->start);
    drop_fd(socket);
    free(socket->host);
    free(socket);
}

/* ---- bytes ---- */

static ssize_t plain_result(struct redis_socket *socket, ssize_t n)
{
    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EINTR)
        return REDIS_SOCKET_AGAIN;
    snprintf(socket->error, sizeof socket->error, "%s", strerror(errno));
    return REDIS_SOCKET_FAILED;
}

static ssize_t tls_result(struct redis_socket *socket, ssize_t n)
{
    if (n >= 0)
        return n;
    if (n == TLS_WANT_WRITE)
        loop_fd_want(socket->watch, LOOP_READ | LOOP_WRITE);
    if (n != TLS_FAILED)
        return REDIS_SOCKET_AGAIN;
    snprintf(socket->error, sizeof socket->error, "TLS: %s", tls_stream_error(socket->tls));
    return REDIS_SOCKET_FAILED;
}

ssize_t redis_socket_read(struct redis_socket *socket, void *data, size_t len)
{
    if (socket->tls)
        return tls_result(socket, tls_stream_read(socket->tls, data, len));
    return plain_result(socket, recv(socket->fd, data, len, 0));
}

ssize_t redis_socket_write(struct redis_socket *socket, const void *data, size_t len)
{
    if (socket->tls)
        return tls_result(socket, tls_stream_write(socket->tls, data, len));
    ssize_t n = plain_result(socket, send(socket->fd, data, len, MSG_NOSIGNAL));
    if (n == REDIS_SOCKET_AGAIN || (n >= 0 && (size_t)n < len))
        loop_fd_want(socket->watch, LOOP_READ | LOOP_WRITE);
    return n;
}

const char *redis_socket_error(const struct redis_socket *socket)
{
    return socket->error;
}

bool redis_socket_is_drained(const struct redis_socket *socket, size_t got, size_t room)
{
    /* TLS keeps decrypted bytes of its own that wake nobody: only REDIS_SOCKET_AGAIN ends those. */
    return !socket->tls && got < room;
}
