/* listener.c: see listener.h. */
#include "net/listener.h"
#include "base/slice.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static bool parse_port(struct slice text, int *out)
{
    int value = 0;
    if (text.len == 0 || text.len > 5)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = value * 10 + (text.data[i] - '0');
    }
    *out = value;
    return value <= 65535;
}

static bool copy_text(char *out, size_t size, struct slice text)
{
    if (text.len == 0 || text.len >= size)
        return false;
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return true;
}

/* `host:port`, `[v6]:port`, `*:port` or just `port`, which means all of IPv4. */
static bool parse_tcp(struct slice text, struct listen_address *out)
{
    const char *colon = text.len ? memrchr(text.data, ':', text.len) : NULL;
    struct slice host = colon ? slice_of(text.data, (size_t)(colon - text.data)) : SLICE("0.0.0.0");
    struct slice port = colon ? slice_from(text, host.len + 1) : text;
    struct in6_addr scratch;

    if (slice_eq(host, SLICE("*")))
        host = SLICE("0.0.0.0");
    if (slice_eq(host, SLICE("localhost")))
        host = SLICE("127.0.0.1");
    bool bracketed = host.len > 2 && *host.data == '[' && host.data[host.len - 1] == ']';
    if (bracketed)
        host = slice_of(host.data + 1, host.len - 2);
    if (!copy_text(out->host, sizeof out->host, host) || !parse_port(port, &out->port))
        return false;
    if (inet_pton(bracketed ? AF_INET6 : AF_INET, out->host, &scratch) != 1)
        return false;
    out->loopback = bracketed ? IN6_IS_ADDR_LOOPBACK(&scratch) : *(uint8_t *)&scratch == 127;
    return true;
}

static bool parse_one(struct slice text, struct listen_address *out)
{
    *out = (struct listen_address){0};
    if (!copy_text(out->text, sizeof out->text, text))
        return false;
    if (slice_starts(text, SLICE("ssl:"))) {
        out->tls = true;
        text = slice_from(text, 4);
    }
    if (!slice_starts(text, SLICE("unix:")))
        return parse_tcp(text, out);
    out->loopback = true;
    return copy_text(out->unix_path, sizeof out->unix_path, slice_from(text, 5));
}

static struct slice trim(struct slice s)
{
    while (s.len && *s.data == ' ')
        s = slice_from(s, 1);
    while (s.len && s.data[s.len - 1] == ' ')
        s.len--;
    return s;
}

enum result listener_parse(const char *list, struct listen_address *out, unsigned max,
                           unsigned *out_count, struct failure *why)
{
    struct slice rest = slice_cstr(list);
    unsigned count = 0;
    while (rest.len) {
        struct slice one = trim(slice_cut(&rest, ','));
        if (count == max)
            return fail(why, R_TOO_BIG, "more than %u addresses to listen on", max);
        if (!parse_one(one, &out[count]))
            return fail(why, R_INVALID,
                        "«%.*s» is not an address to listen on (expected 127.0.0.1:8080, [::]:80, "
                        "unix:PATH or ssl:ADDR:PORT)",
                        (int)(one.len < 100 ? one.len : 100), one.data);
        count++;
    }
    *out_count = count;
    return count ? R_OK : fail(why, R_INVALID, "no address to listen on");
}

static socklen_t make_sockaddr(const struct listen_address *address,
                               struct sockaddr_storage *storage)
{
    *storage = (struct sockaddr_storage){0};
    if (*address->unix_path) {
        struct sockaddr_un *local = (struct sockaddr_un *)storage;
        local->sun_family = AF_UNIX;
        memcpy(local->sun_path, address->unix_path, sizeof address->unix_path);
        return sizeof *local;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)storage;
    if (inet_pton(AF_INET6, address->host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)address->port);
        return sizeof *v6;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)storage;
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)address->port);
    inet_pton(AF_INET, address->host, &v4->sin_addr);
    return sizeof *v4;
}

/* The socket file of a dead server is in the way; that of a living one answers. */
static bool remove_stale_socket(const struct sockaddr_storage *storage, socklen_t len)
{
    const char *path = ((const struct sockaddr_un *)storage)->sun_path;
    struct stat info;
    if (stat(path, &info) != 0)
        return true;
    if (!S_ISSOCK(info.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool answers = connect(fd, (const struct sockaddr *)storage, len) == 0 || errno == EAGAIN;
    close(fd);
    return !answers && unlink(path) == 0;
}

static void set_options(int fd, int family)
{
    int yes = 1;
    if (family == AF_UNIX)
        return;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    /* [::] means IPv6 only, so that 0.0.0.0 may be listened on beside it. */
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
}

enum result listener_open(const struct listen_address *address, int *out_fd, struct failure *why)
{
    struct sockaddr_storage storage;
    socklen_t len = make_sockaddr(address, &storage);
    int family = storage.ss_family;

    if (family == AF_UNIX && !remove_stale_socket(&storage, len))
        return fail(why, R_EXISTS, "%s is in use", address->text);
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(why, R_IO, "cannot open a socket for %s: %s", address->text, strerror(errno));
    set_options(fd, family);
    if (bind(fd, (struct sockaddr *)&storage, len) == 0 && listen(fd, BACKLOG) == 0) {
        *out_fd = fd;
        return R_OK;
    }
    int error = errno;
    close(fd);
    return fail(why, error == EADDRINUSE ? R_EXISTS : R_IO, "cannot listen on %s: %s",
                address->text, strerror(error));
}

int listener_port(int fd)
{
    struct sockaddr_storage storage = {0};
    socklen_t len = sizeof storage;
    if (getsockname(fd, (struct sockaddr *)&storage, &len) != 0)
        return 0;
    if (storage.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&storage)->sin_port);
    if (storage.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&storage)->sin6_port);
    return 0;
}
