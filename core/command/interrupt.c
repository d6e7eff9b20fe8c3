/* interrupt.c: see interrupt.h. */
#include "command/interrupt.h"
#include "net/loop.h"
#include "script/watchdog.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM};
enum { SIGNALS = sizeof signals / sizeof *signals };

static struct {
    void (*run)(void *owner);
    void *owner;
    struct loop_fd *watch;
    bool ignored[SIGNALS];
} opened;

static volatile sig_atomic_t caught;
static int wake_fd = -1;

/* Only what is safe in a signal handler, on whichever thread. */
static void on_signal(int signal)
{
    const int kept = errno;
    caught = signal;
    watchdog_interrupt(true);
    eventfd_write(wake_fd, 1);
    errno = kept;
}

/* Not restarted: a script that reads its input hears of it. Once: the second signal has its usual effect. */
static void arm(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    for (int i = 0; i < SIGNALS; i++)
        if (!opened.ignored[i])
            sigaction(signals[i], &action, NULL);
}

static void on_woken(void *owner, int ready)
{
    (void)owner, (void)ready;
    loop_fd_want(opened.watch, 0); /* it stays readable */
    opened.run(opened.owner);
}

void interrupt_open(struct loop *loop, void (*run)(void *owner), void *owner)
{
    struct sigaction before;

    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0)
        abort();
    opened.run = run;
    opened.owner = owner;
    opened.watch = loop_fd_new(loop, wake_fd, on_woken, NULL);
    loop_fd_want(opened.watch, LOOP_READ);
    for (int i = 0; i < SIGNALS; i++) {
        sigaction(signals[i], NULL, &before);
        opened.ignored[i] = before.sa_handler == SIG_IGN;
    }
    caught = 0;
    arm();
}

void interrupt_close(void)
{
    if (wake_fd < 0)
        return;
    for (int i = 0; i < SIGNALS; i++)
        if (!opened.ignored[i])
            signal(signals[i], SIG_DFL);
    watchdog_interrupt(false);
    loop_fd_free(opened.watch);
    close(wake_fd);
    wake_fd = -1;
}

int interrupt_signal(void)
{
    return caught;
}

void interrupt_clear(void)
{
    eventfd_t count;
    eventfd_read(wake_fd, &count);
    caught = 0;
    watchdog_interrupt(false);
    loop_fd_want(opened.watch, LOOP_READ);
    arm();
}

int interrupt_fd(void)
{
    return wake_fd;
}
