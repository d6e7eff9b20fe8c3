/* signals.c: see signals.h. */
#include "signals.h"
#include "base/mem.h"
#include "net/loop.h"

#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct signals {
    int fd;
    struct loop_fd *watch;
    void (*on_signal)(void *owner, int signal);
    void *owner;
};

static void on_readable(void *owner, int ready)
{
    struct signals *signals = owner;
    struct signalfd_siginfo info;
    (void)ready;

    while (read(signals->fd, &info, sizeof info) == sizeof info)
        signals->on_signal(signals->owner, (int)info.ssi_signo);
}

struct signals *signals_open(struct loop *loop, void (*on_signal)(void *owner, int signal),
                             void *owner)
{
    static const int wanted[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};
    struct signals *signals = mem_new(struct signals);
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        sigaddset(&set, wanted[i]);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals->on_signal = on_signal;
    signals->owner = owner;
    signals->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    signals->watch = loop_fd_new(loop, signals->fd, on_readable, signals);
    loop_fd_want(signals->watch, LOOP_READ);
    return signals;
}

void signals_close(struct signals *signals)
{
    loop_fd_free(signals->watch);
    close(signals->fd);
    free(signals);
}

void signals_disown(struct signals *signals)
{
    close(signals->fd);
}
