/* sockets.c: see sockets.h. */
#include "sockets.h"
#include "json.h"
#include "base/conf.h"
#include "base/log.h"
#include "net/tls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SYSTEMD_FIRST_FD = 3, ACTIVATED_MARK = '@' };

/* A socket that was open before we ran. */
struct gift {
    int fd;
    char text[160]; /* the address as the giver wrote it, or as the system knows it */
    bool used;
};

struct gifts {
    struct gift items[SOCKETS_MAX];
    unsigned count;
    bool activated; /* from systemd */
};

/* ---- what we were given ---- */

static void name_socket(int fd, char *out, size_t size)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    char host[INET6_ADDRSTRLEN] = "";

    snprintf(out, size, "fd:%d", fd);
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return;
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)&address;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(out, size, "%s:%d", host, ntohs(in->sin_port));
    } else if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)&address;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(out, size, "[%s]:%d", host, ntohs(in6->sin6_port));
    } else if (address.ss_family == AF_UNIX && len > offsetof(struct sockaddr_un, sun_path)) {
        const struct sockaddr_un *un = (const void *)&address;
        snprintf(out, size, "unix:%s", un->sun_path);
    }
}

static struct gift *add_gift(struct gifts *gifts, int fd)
{
    int listening = 0;
    socklen_t len = sizeof listening;

    if (gifts->count == SOCKETS_MAX ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening)
        return NULL;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    struct gift *gift = &gifts->items[gifts->count++];
    *gift = (struct gift){.fd = fd};
    return gift;
}

static void take_inherited(struct gifts *gifts, const char *list)
{
    int fd, used;
    char text[160];

    gifts->activated = list[0] == ACTIVATED_MARK;
    list += gifts->activated;
    while (sscanf(list, "%d=%159[^\n]\n%n", &fd, text, &used) == 2) {
        struct gift *gift = add_gift(gifts, fd);
        if (gift)
            memcpy(gift->text, text, sizeof text);
        list += used;
    }
    unsetenv(SOCKETS_INHERIT_VARIABLE);
}

static void take_activated(struct gifts *gifts)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

    if (pid && count && strtol(pid, NULL, 10) == getpid()) {
        long n = strtol(count, NULL, 10);
        for (int fd = SYSTEMD_FIRST_FD; fd < SYSTEMD_FIRST_FD + n; fd++) {
            struct gift *gift = add_gift(gifts, fd);
            if (gift)
                name_socket(fd, gift->text, sizeof gift->text);
            gifts->activated = gifts->activated || gift;
        }
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

static struct gifts take_gifts(void)
{
    struct gifts gifts = {0};
    const char *inherited = getenv(SOCKETS_INHERIT_VARIABLE);

    if (inherited)
        take_inherited(&gifts, inherited);
    else
        take_activated(&gifts);
    return gifts;
}

/* As written, or without the `ssl:` that systemd knows nothing of. */
static struct gift *find_gift(struct gifts *gifts, const struct listen_address *address)
{
    const char *bare = strncmp(address->text, "ssl:", 4) == 0 ? address->text + 4 : address->text;

    for (unsigned i = 0; i < gifts->count; i++) {
        struct gift *gift = &gifts->items[i];
        if (!gift->used &&
            (strcmp(gift->text, address->text) == 0 || strcmp(gift->text, bare) == 0))
            return gift;
    }
    return NULL;
}

/* ---- opening ---- */

static void add_entry(struct sockets *sockets, const struct listen_address *address,
                      enum socket_use use, int fd)
{
    sockets->entries[sockets->count++] =
        (struct socket_entry){.address = *address, .use = use, .fd = fd};
}

static enum result open_one(struct gifts *gifts, const struct listen_address *address,
                            enum socket_use use, struct sockets *out, struct failure *why)
{
    struct gift *gift = find_gift(gifts, address);
    int fd;

    for (unsigned i = 0; i < out->count; i++)
        if (strcmp(out->entries[i].address.text, address->text) == 0)
            return R_OK; /* metrics on a public address: one socket serves both */

    if (out->count == SOCKETS_MAX)
        return fail(why, R_TOO_BIG, "more than %d listening addresses", SOCKETS_MAX);
    if (gift) {
        gift->used = true;
        add_entry(out, address, use, gift->fd);
        return R_OK;
    }
    if (gifts->activated && use == SOCKET_PUBLIC)
        return R_OK; /* what systemd gives replaces the list; the list only says which speak TLS */
    enum result rc = listener_open(address, &fd, why);
    if (rc == R_OK)
        add_entry(out, address, use, fd);
    return rc;
}

static void settle_rest(struct gifts *gifts, struct sockets *out)
{
    for (unsigned i = 0; i < gifts->count; i++) {
        struct gift *gift = &gifts->items[i];
        struct listen_address address = {0};
        unsigned count = 0;

        if (gift->used)
            continue;
        if (!gifts->activated || out->count == SOCKETS_MAX ||
            listener_parse(gift->text, &address, 1, &count, NULL) != R_OK) {
            log_info("an inherited socket is not wanted any more", LOG_STR("address", gift->text));
            close(gift->fd);
            continue;
        }
        add_entry(out, &address, SOCKET_PUBLIC, gift->fd);
    }
}

enum result sockets_open(const struct conf *conf, struct sockets *out, struct failure *why)
{
    struct gifts gifts = take_gifts();
    static const char *const keys[] = {
        [SOCKET_PUBLIC] = "listen", [SOCKET_METRICS] = "metrics_listen"};

    *out = (struct sockets){.activated = gifts.activated};
    for (enum socket_use use = SOCKET_PUBLIC; use <= SOCKET_METRICS; use++) {
        struct listen_address addresses[SOCKETS_MAX];
        const char *list = conf_string(conf, keys[use]);
        unsigned count = 0;
        enum result rc = R_OK;

        if (list && *list)
            rc = listener_parse(list, addresses, SOCKETS_MAX, &count, why);
        for (unsigned i = 0; rc == R_OK && i < count; i++)
            rc = open_one(&gifts, &addresses[i], use, out, why);
        if (rc != R_OK) {
            sockets_close(out, false);
            return rc;
        }
    }
    settle_rest(&gifts, out);
    return R_OK;
}

void sockets_close(struct sockets *sockets, bool unlink_paths)
{
    for (unsigned i = 0; i < sockets->count; i++) {
        close(sockets->entries[i].fd);
        if (unlink_paths && sockets->entries[i].address.unix_path[0])
            unlink(sockets->entries[i].address.unix_path);
    }
    sockets->count = 0;
}

/* ---- TLS ---- */

static struct tls_config tls_settings(const struct conf *conf, struct slice ticket_secret)
{
    return (struct tls_config){.cert_path = conf_string(conf, "tls_cert"),
                               .key_path = conf_string(conf, "tls_key"),
                               .ticket_secret = ticket_secret};
}

enum result sockets_tls(const struct sockets *sockets, const struct conf *conf,
                        struct slice ticket_secret, struct tls_context **out, struct failure *why)
{
    struct tls_config config = tls_settings(conf, ticket_secret);
    bool wanted = false;

    *out = NULL;
    for (unsigned i = 0; i < sockets->count; i++)
        wanted = wanted || sockets->entries[i].address.tls;
    if (!wanted)
        return R_OK;
    if (!config.cert_path || !config.key_path)
        return fail(why, R_INVALID, "an ssl: address needs tls_cert and tls_key");
    return tls_context_new(&config, out, why);
}

enum result sockets_tls_again(struct tls_context *context, const struct conf *conf,
                              struct slice ticket_secret, struct failure *why)
{
    struct tls_config config = tls_settings(conf, ticket_secret);
    return tls_context_reload(context, &config, why);
}

/* ---- words ---- */

void sockets_url(const struct socket_entry *entry, struct buf *out)
{
    const struct listen_address *address = &entry->address;
    const char *scheme = address->tls ? "https" : "http";

    if (address->unix_path[0])
        buf_printf(out, "unix:%s", address->unix_path);
    else if (strchr(address->host, ':'))
        buf_printf(out, "%s://[%s]:%d", scheme, address->host, listener_port(entry->fd));
    else
        buf_printf(out, "%s://%s:%d", scheme, address->host, listener_port(entry->fd));
}

void sockets_describe(const struct sockets *sockets, struct buf *out)
{
    static const char *const names[] = {[SOCKET_PUBLIC] = "public", [SOCKET_METRICS] = "metrics"};

    buf_append_char(out, '[');
    for (unsigned i = 0; i < sockets->count; i++) {
        const struct socket_entry *entry = &sockets->entries[i];
        struct buf url = {0};
        sockets_url(entry, &url);
        json_put_comma(out);
        buf_append_char(out, '{');
        json_put_member(out, "address", slice_cstr(entry->address.text));
        json_put_member(out, "url", buf_slice(&url));
        if (!entry->address.unix_path[0])
            json_put_integer(out, "port", listener_port(entry->fd));
        json_put_member(out, "use", slice_cstr(names[entry->use]));
        buf_append_char(out, '}');
        buf_free(&url);
    }
    buf_append_char(out, ']');
}

void sockets_encode(const struct sockets *sockets, struct buf *out)
{
    if (sockets->activated)
        buf_append_char(out, ACTIVATED_MARK);
    for (unsigned i = 0; i < sockets->count; i++)
        buf_printf(out, "%d=%s\n", sockets->entries[i].fd, sockets->entries[i].address.text);
}
