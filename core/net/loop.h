/* loop.h: the event loop of one process. Timers, deferred calls, readiness of descriptors, signals.
 * Everything that waits lives above this; nothing here knows Lua. */
#pragma once

#include <stdint.h>

struct loop;
struct event_base;

struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Run until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* For siblings in net/ only: the libevent base behind the loop. */
struct event_base *loop_base(struct loop *loop);

/* A call made from the loop soon, never inside the current call: this is how drivers keep the
 * promise «no callback before the starting function returned». The node belongs to the caller and
 * must live until it ran or was cancelled; scheduling it twice is harmless. */
struct loop_later {
    void (*run)(void *owner);
    void *owner;
    struct loop *loop;
    struct loop_later *next, *prev; /* private */
};
void loop_later(struct loop *loop, struct loop_later *later, void (*run)(void *owner), void *owner);
void loop_later_cancel(struct loop_later *later);

/* One-shot timers. A stopped or fired timer may be started again. */
struct loop_timer;
struct loop_timer *loop_timer_new(struct loop *loop, void (*run)(void *owner), void *owner);
void loop_timer_start(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer); /* NULL is fine */

/* Readiness of a descriptor, level-triggered, until freed. The descriptor stays the caller's. */
enum { LOOP_READ = 1, LOOP_WRITE = 2 };
struct loop_fd;
struct loop_fd *loop_fd_new(struct loop *loop, int fd, void (*run)(void *owner, int ready),
                            void *owner);
void loop_fd_want(struct loop_fd *watch, int interest); /* LOOP_READ | LOOP_WRITE, or 0 */
void loop_fd_free(struct loop_fd *watch);               /* NULL is fine */

/* Signals arrive on the loop like any other event. Lives as long as the loop. */
void loop_on_signal(struct loop *loop, int signal, void (*run)(void *owner, int signal),
                    void *owner);

/* For `fura version`. */
const char *loop_library(void);
