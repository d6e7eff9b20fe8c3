/* sockets.h: the listening sockets of the server, opened once by the master and inherited by every
 * worker. They come from the configuration, from systemd (socket activation), or from the process
 * we replace. */
#pragma once

#include "base/buf.h"
#include "base/result.h"
#include "net/listener.h"

struct conf;

enum { SOCKETS_MAX = 16 };

/* What http_listener() of a request says. */
enum socket_use { SOCKET_PUBLIC, SOCKET_METRICS };

struct socket_entry {
    struct listen_address address;
    enum socket_use use;
    int fd;
};

struct sockets {
    struct socket_entry entries[SOCKETS_MAX];
    unsigned count;
    bool activated; /* given by systemd: FURA_LISTEN only says which of them speak TLS */
};

/* Open, or take over, all of them. On failure none is left open. */
enum result sockets_open(const struct conf *conf, struct sockets *out, struct failure *why);
/* `unlink_paths`: also remove the files of unix sockets, as nobody takes over. */
void sockets_close(struct sockets *sockets, bool unlink_paths);

/* What speaks TLS needs a context; gives NULL when nothing does. Also proves the files before anything is forked. */
struct tls_context;
enum result sockets_tls(const struct sockets *sockets, const struct conf *conf,
                        struct slice ticket_secret, struct tls_context **out, struct failure *why);
/* Read certificate and key again, as they are renewed on disk; what cannot be used changes nothing. */
enum result sockets_tls_again(struct tls_context *context, const struct conf *conf,
                              struct slice ticket_secret, struct failure *why);

/* Append «http://127.0.0.1:8080» with the port the system chose. */
void sockets_url(const struct socket_entry *entry, struct buf *out);
/* Append a JSON list. */
void sockets_describe(const struct sockets *sockets, struct buf *out);

/* For the next binary: lines «fd=address», read back by sockets_open() from the environment. */
#define SOCKETS_INHERIT_VARIABLE "FURA_INHERITED_SOCKETS"
void sockets_encode(const struct sockets *sockets, struct buf *out);
