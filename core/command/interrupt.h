/* interrupt.h: Ctrl-C and SIGTERM for commands that run scripts: what computes is stopped at its next instruction and what
 * waits is told on the loop, so that the stack can be shown and everything is closed. A second signal kills. */
#pragma once

struct loop;

/* `run` is called on the loop after a signal, whether or not a script was stopped. One at a time; needs watchdog_start().
 * A signal that is ignored stays so. */
void interrupt_open(struct loop *loop, void (*run)(void *owner), void *owner);
void interrupt_close(void);

int interrupt_signal(void); /* that came since; 0 = none */
/* It has been dealt with: scripts may run again. */
void interrupt_clear(void);
/* Readable from a signal on until interrupt_clear(), for who waits outside of the loop; -1 when not open. */
int interrupt_fd(void);
