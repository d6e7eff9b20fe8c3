/* control.c: see control.h. */
#include "control.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/listener.h"
#include "net/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REQUEST_MAX = 1024 * 1024, CLIENTS_MAX = 32, READ_CHUNK = 16 * 1024 };

struct client {
    struct control *control;
    int fd;
    struct loop_fd *watch;
    struct buf in, out;
    bool asked, gone,
        ended; /* a request is out; nobody listens any more; its last line is written */
    void (*on_gone)(void *watcher); /* NULL: nobody wants to know */
    void *watcher;
    struct client *next;
};

struct control {
    struct loop *loop;
    int fd;
    char *path;
    struct loop_fd *watch;
    void (*on_request)(void *owner, struct slice request, const struct control_reply *reply);
    void *owner;
    struct client *clients;
    unsigned count;
};

static void free_client(struct client *client)
{
    struct control *control = client->control;

    if (control) {
        struct client **link = &control->clients;
        while (*link != client)
            link = &(*link)->next;
        *link = client->next;
        control->count--;
    }
    if (!client->gone) {
        loop_fd_free(client->watch);
        close(client->fd);
    }
    buf_free(&client->in);
    buf_free(&client->out);
    free(client);
}

/* The connection is over; the client itself lives on while a request of its is being answered. */
static void hang_up(struct client *client)
{
    if (client->asked && !client->ended) {
        loop_fd_free(client->watch);
        close(client->fd);
        client->gone = true;
        if (client->on_gone)
            client->on_gone(client->watcher); /* which may end it */
        return;
    }
    free_client(client);
}

/* ---- answering ---- */

static void flush(struct client *client)
{
    while (client->out.len > 0) {
        ssize_t n =
            send(client->fd, client->out.data, client->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            hang_up(client);
            return;
        }
        buf_consume(&client->out, (size_t)n);
    }
    if (client->ended && client->out.len == 0)
        free_client(client);
    else
        loop_fd_want(client->watch, LOOP_READ | (client->out.len ? LOOP_WRITE : 0));
}

static void on_line(void *owner, struct slice json)
{
    struct client *client = owner;
    if (client->gone)
        return;
    buf_append_slice(&client->out, json);
    buf_append_char(&client->out, '\n');
}

static void on_watch(void *owner, void (*gone)(void *watcher), void *watcher)
{
    struct client *client = owner;
    client->on_gone = gone;
    client->watcher = watcher;
}

static void on_end(void *owner)
{
    struct client *client = owner;
    client->ended = true;
    if (client->gone)
        free_client(client);
    else
        flush(client);
}

/* ---- asking ---- */

static void take_request(struct client *client)
{
    const char *newline = memchr(client->in.data, '\n', client->in.len);

    if (!newline) {
        if (client->in.len > REQUEST_MAX)
            hang_up(client);
        return;
    }
    client->asked = true;
    struct slice request = slice_of(client->in.data, (size_t)(newline - client->in.data));
    client->control->on_request(client->control->owner, request,
                                &(struct control_reply){on_line, on_end, client, on_watch});
}

static void on_client_ready(void *owner, int ready)
{
    struct client *client = owner;

    if (ready & LOOP_WRITE) {
        flush(client);
        return; /* which may have freed it; what waits to be read shows again */
    }
    char *space = buf_reserve(&client->in, READ_CHUNK);
    ssize_t n = recv(client->fd, space, READ_CHUNK, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        hang_up(client);
        return;
    }
    if (client->asked)
        return; /* one request a connection */
    client->in.len += (size_t)n;
    take_request(client);
}

static bool may_command(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void on_connection(void *owner, int ready)
{
    struct control *control = owner;
    (void)ready;

    int fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (control->count == CLIENTS_MAX || !may_command(fd)) {
        log_warn("a connection to the control socket was refused");
        close(fd);
        return;
    }
    struct client *client = mem_new(struct client);
    client->control = control;
    client->fd = fd;
    client->next = control->clients;
    control->clients = client;
    control->count++;
    client->watch = loop_fd_new(control->loop, fd, on_client_ready, client);
    loop_fd_want(client->watch, LOOP_READ);
}

/* ---- life ---- */

static void make_folders(const char *path)
{
    char *copy = mem_strdup(path);
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(copy, 0700);
        *slash = '/';
    }
    free(copy);
}

enum result control_open(struct loop *loop, const char *path,
                         void (*on_request)(void *owner, struct slice request,
                                            const struct control_reply *reply),
                         void *owner, struct control **out, struct failure *why)
{
    struct listen_address address = {.loopback = true};
    int fd;

    if (strlen(path) >= sizeof address.unix_path)
        return fail(why, R_TOO_BIG, "the path of the control socket is too long: %s", path);
    snprintf(address.text, sizeof address.text, "unix:%s", path);
    memcpy(address.unix_path, path, strlen(path) + 1);
    make_folders(path);
    mode_t mask = umask(0177);
    enum result rc = listener_open(&address, &fd, why);
    umask(mask);
    if (rc != R_OK)
        return rc;

    struct control *control = mem_new(struct control);
    control->loop = loop;
    control->fd = fd;
    control->path = mem_strdup(path);
    control->on_request = on_request;
    control->owner = owner;
    control->watch = loop_fd_new(loop, fd, on_connection, control);
    loop_fd_want(control->watch, LOOP_READ);
    chmod(path, 0600);
    *out = control;
    return R_OK;
}

void control_close(struct control *control, bool unlink_path)
{
    if (!control)
        return;
    loop_fd_free(control->watch);
    close(control->fd);
    if (unlink_path)
        unlink(control->path);
    while (control->clients) {
        struct client *client = control->clients;
        control->clients = client->next;
        client->control = NULL; /* one still being answered frees itself at its end */
        hang_up(client);
    }
    free(control->path);
    free(control);
}

void control_disown(struct control *control)
{
    if (!control)
        return;
    close(control->fd);
    for (struct client *client = control->clients; client; client = client->next)
        if (!client->gone)
            close(client->fd);
}
