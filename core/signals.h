/* signals.h: the signals a master obeys, as events of its loop. */
#pragma once

struct loop;
struct signals;

/* They are blocked and read from a descriptor: a forked worker then inherits no handlers of ours. SIGPIPE is ignored. */
struct signals *signals_open(struct loop *loop, void (*on_signal)(void *owner, int signal),
                             void *owner);
void signals_close(struct signals *signals);
/* In a forked child: close the copy of the descriptor, touch nothing else. */
void signals_disown(struct signals *signals);
