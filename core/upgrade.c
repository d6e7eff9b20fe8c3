/* upgrade.c: see upgrade.h. The line is a socket pair: the successor writes 'R', the old master
 * 'G'. */
#include "upgrade.h"
#include "sockets.h"
#include "base/buf.h"
#include "base/mem.h"
#include "net/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_VARIABLE "FURA_UPGRADE_LINE"

enum { TAKE_OVER_LIMIT_MS = 120000 };

struct upgrade {
    struct upgrade_options options;
    pid_t pid;
    int line;
    struct loop_fd *watch;
    struct loop_timer *limit;
    bool taken_over;
};

/* ---- the old side ---- */

static void let_through_exec(int fd)
{
    fcntl(fd, F_SETFD, 0);
}

/* In the child. Everything else of ours is close-on-exec. */
static void become_successor(const struct upgrade_options *options, int line)
{
    struct buf sockets = {0};
    char number[16];
    sigset_t none;

    for (unsigned i = 0; i < options->sockets->count; i++)
        let_through_exec(options->sockets->entries[i].fd);
    let_through_exec(line);
    sockets_encode(options->sockets, &sockets);
    snprintf(number, sizeof number, "%d", line);
    setenv(SOCKETS_INHERIT_VARIABLE, buf_cstr(&sockets), 1);
    setenv(LINE_VARIABLE, number, 1);
    unsetenv("WATCHDOG_PID"); /* it named us; the successor becomes the main process */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(options->program, options->argv);
    _exit(127);
}

static void fail_upgrade(struct upgrade *upgrade, const char *reason)
{
    loop_fd_want(upgrade->watch, 0);
    loop_timer_stop(upgrade->limit);
    if (upgrade->pid)
        kill(upgrade->pid, SIGKILL);
    upgrade->options.on_failed(upgrade->options.owner, reason); /* may free us */
}

static void on_line(void *owner, int ready)
{
    struct upgrade *upgrade = owner;
    char word = 0;
    (void)ready;

    ssize_t n = recv(upgrade->line, &word, 1, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    loop_fd_want(upgrade->watch, 0);
    if (n == 1 && word == 'R') {
        upgrade->taken_over = true;
        loop_timer_stop(upgrade->limit);
        upgrade->options.on_taken_over(upgrade->options.owner, upgrade->pid);
        send(upgrade->line, "G", 1, MSG_NOSIGNAL);
    }
    /* An end without a word: SIGCHLD follows and says how it died. */
}

static void on_limit(void *owner)
{
    fail_upgrade(owner, "the new process was not ready in time");
}

struct upgrade *upgrade_start(const struct upgrade_options *options)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return NULL;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        become_successor(options, pair[1]);
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return NULL;
    }
    struct upgrade *upgrade = mem_new(struct upgrade);
    upgrade->options = *options;
    upgrade->pid = pid;
    upgrade->line = pair[0];
    upgrade->watch = loop_fd_new(options->loop, pair[0], on_line, upgrade);
    upgrade->limit = loop_timer_new(options->loop, on_limit, upgrade);
    loop_fd_want(upgrade->watch, LOOP_READ);
    loop_timer_start(upgrade->limit, TAKE_OVER_LIMIT_MS);
    return upgrade;
}

bool upgrade_reaped(struct upgrade *upgrade, pid_t pid, int status)
{
    char reason[96];

    if (!upgrade || upgrade->pid != pid)
        return false;
    upgrade->pid = 0;
    if (upgrade->taken_over)
        return true;
    if (WIFSIGNALED(status))
        snprintf(reason, sizeof reason, "the new process was killed by signal %d",
                 WTERMSIG(status));
    else
        snprintf(reason, sizeof reason, "the new process exited with status %d",
                 WEXITSTATUS(status));
    fail_upgrade(upgrade, reason);
    return true;
}

void upgrade_free(struct upgrade *upgrade)
{
    if (!upgrade)
        return;
    if (upgrade->pid && !upgrade->taken_over)
        kill(upgrade->pid, SIGKILL);
    loop_fd_free(upgrade->watch);
    loop_timer_free(upgrade->limit);
    close(upgrade->line);
    free(upgrade);
}

void upgrade_disown(struct upgrade *upgrade)
{
    if (upgrade)
        close(upgrade->line);
}

/* ---- the new side ---- */

struct announcement {
    int line;
    struct loop_fd *watch;
    void (*go)(void *owner);
    void *owner;
};

static void on_go(void *owner, int ready)
{
    struct announcement *announcement = owner;
    void (*go)(void *) = announcement->go;
    void *go_owner = announcement->owner;
    (void)ready;

    loop_fd_free(announcement->watch);
    close(announcement->line);
    free(announcement);
    go(go_owner);
}

int upgrade_line(void)
{
    const char *number = getenv(LINE_VARIABLE);
    int line = number ? (int)strtol(number, NULL, 10) : -1;

    unsetenv(LINE_VARIABLE);
    if (line < 0 || fcntl(line, F_SETFD, FD_CLOEXEC) != 0)
        return -1;
    return line;
}

void upgrade_announce(struct loop *loop, int line, void (*go)(void *owner), void *owner)
{
    struct announcement *announcement = mem_new(struct announcement);
    announcement->line = line;
    announcement->go = go;
    announcement->owner = owner;
    announcement->watch = loop_fd_new(loop, line, on_go, announcement);
    loop_fd_want(announcement->watch, LOOP_READ);
    /* A dead old master shows as an end of the line, which on_go takes for its word. */
    send(line, "R", 1, MSG_NOSIGNAL);
}
