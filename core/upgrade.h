/* upgrade.h: replacing the running binary without closing a socket. The old master starts the new
 * one with the listening sockets and one end of a line between them. The new one builds and proves
 * a generation in all its workers, says «ready», is told «go» and serves; the old one drains. If
 * the new one fails, the line breaks and the old one goes on as if nothing had happened. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct loop;
struct sockets;
struct upgrade;

struct upgrade_options {
    struct loop *loop;
    const char *program; /* absolute path; read anew, so that a replaced file is the new binary */
    char **argv;
    const struct sockets *sockets;
    void (*on_taken_over)(void *owner,
                          pid_t successor); /* it is ready: let go of the control socket */
    void (*on_failed)(void *owner, const char *reason); /* we go on; may free the upgrade */
    void *owner;
};

/* The old side. NULL when it could not even start; errno says why. */
struct upgrade *upgrade_start(const struct upgrade_options *options);
/* SIGCHLD: was `pid` the successor? Reports the failure if it did not take over before. */
bool upgrade_reaped(struct upgrade *upgrade, pid_t pid, int status);
void upgrade_free(struct upgrade *upgrade); /* NULL is fine; an unfinished successor is ended */

/* In a forked worker: close our end of the line. */
void upgrade_disown(struct upgrade *upgrade);

/* The new side: the line to the master we replace, or -1 when we replace none. Read once, at the
 * start. */
int upgrade_line(void);
/* «Ready.» `go` runs once, later, when the old master let go of everything (or is no more). Takes
 * `line`. */
void upgrade_announce(struct loop *loop, int line, void (*go)(void *owner), void *owner);
