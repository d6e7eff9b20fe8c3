/* resolve.h: host names to addresses without blocking the loop: /etc/hosts first, then DNS over
 * libevent's evdns. Nothing is cached: every question sees the hosts file and the name servers of
 * that moment. */
#pragma once

#include "base/result.h"

#include <stdint.h>
#include <sys/socket.h>

struct loop;
struct resolve;
struct resolve_question;

struct resolve_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

/* Runs exactly once, never before resolve_ask() returned. R_NOT_FOUND: no such name; R_UNAVAILABLE:
 * no name server answered. Borrows `addresses` until it returns. */
typedef void resolve_done(void *owner, enum result rc, const struct resolve_address *addresses,
                          unsigned count);

struct resolve *resolve_open(struct loop *loop);
void resolve_close(struct resolve *resolve); /* every question must be answered or forgotten */

/* IP literals (IPv6 without brackets) are answered too. There is no deadline here: whoever waits
 * has one, and forgets the question when it passes. */
struct resolve_question *resolve_ask(struct resolve *resolve, const char *host, uint16_t port,
                                     resolve_done *done, void *owner);
/* `done` will not run. Only before it ran. */
void resolve_forget(struct resolve_question *question);
