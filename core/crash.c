/* crash.c: see crash.h. Sanitizers bring handlers of their own and keep them. */
#include "crash.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { FRAMES_MAX = 24, STACK_BYTES = 64 * 1024 };

struct crash_note {
    volatile sig_atomic_t signal;
    void *address;
    void *frames[FRAMES_MAX];
    int frame_count;
};

static struct crash_note *our_note; /* a signal handler has no owner argument */
static char crash_stack[STACK_BYTES];

struct crash_note *crash_note_new(void)
{
    void *zone = mmap(NULL, sizeof(struct crash_note), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (zone == MAP_FAILED) {
        perror("fura: cannot share memory");
        abort();
    }
    return zone;
}

void crash_note_free(struct crash_note *note)
{
    munmap(note, sizeof *note);
}

void crash_note_clear(struct crash_note *note)
{
    *note = (struct crash_note){0};
}

static void on_crash(int signal, siginfo_t *info, void *context)
{
    (void)context;
    our_note->signal = signal;
    our_note->address = info->si_addr;
    our_note->frame_count = backtrace(our_note->frames, FRAMES_MAX); /* may abort in compiled Lua */
    raise(signal); /* SA_RESETHAND: now with its default action */
}

void crash_watch(struct crash_note *note)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    stack_t stack = {.ss_sp = crash_stack, .ss_size = sizeof crash_stack};
    struct sigaction action = {.sa_sigaction = on_crash,
                               .sa_flags =
                                   (int)(SA_SIGINFO | SA_RESETHAND | SA_ONSTACK | SA_NODEFER)};
    struct sigaction present;
    void *warm_up[1];

    our_note = note;
    backtrace(warm_up, 1); /* loads its library now, where allocating is allowed */
    sigaltstack(&stack, NULL);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        sigaction(signals[i], NULL, &present);
        if (present.sa_handler == SIG_DFL)
            sigaction(signals[i], &action, NULL);
    }
}

void crash_describe(const struct crash_note *note, struct buf *out)
{
    if (note->signal == 0)
        return;
    buf_printf(out, "SIG%s at address %p;", sigabbrev_np(note->signal), note->address);
    char **names = backtrace_symbols(note->frames, note->frame_count);
    for (int i = 0; names && i < note->frame_count; i++)
        buf_printf(out, " %s", names[i]);
    free(names);
}
