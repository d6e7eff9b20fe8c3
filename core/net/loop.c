/* loop.c: see loop.h. The thin layer over libevent that the rest of the core is written against. */
#include "net/loop.h"
#include "base/mem.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <stdlib.h>

struct signal_watch {
    struct event *event;
    void (*run)(void *owner, int signal);
    void *owner;
    struct signal_watch *next;
};

struct loop {
    struct event_base *base;
    struct event *later_event;
    struct loop_later later; /* list head */
    struct loop_later mark;  /* in the list while it is being run */
    struct signal_watch *signals;
};

struct loop_timer {
    struct event *event;
    void (*run)(void *owner);
    void *owner;
};

struct loop_fd {
    struct loop *loop;
    struct event *event;
    int fd, interest;
    void (*run)(void *owner, int ready);
    void *owner;
};

static void unlink_later(struct loop_later *later)
{
    later->prev->next = later->next;
    later->next->prev = later->prev;
    later->next = later->prev = NULL;
}

/* Runs what was queued before this turn; what these calls queue stands behind the mark and waits for the next one. */
static void on_later(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct loop *loop = arg;
    struct loop_later *head = &loop->later, *mark = &loop->mark;

    mark->prev = head->prev;
    mark->next = head;
    head->prev->next = mark;
    head->prev = mark;
    while (head->next != mark) {
        struct loop_later *later = head->next;
        unlink_later(later);
        later->run(later->owner);
    }
    unlink_later(mark);
    if (head->next != head)
        event_active(loop->later_event, EV_TIMEOUT, 0);
}

struct loop *loop_new(void)
{
    struct loop *loop = mem_new(struct loop);
    evthread_use_pthreads();
    struct event_config *config = event_config_new();
    event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    loop->later.next = loop->later.prev = &loop->later;
    loop->later_event = event_new(loop->base, -1, 0, on_later, loop);
    return loop;
}

void loop_free(struct loop *loop)
{
    while (loop->signals) {
        struct signal_watch *watch = loop->signals;
        loop->signals = watch->next;
        event_free(watch->event);
        free(watch);
    }
    event_free(loop->later_event);
    event_base_free(loop->base);
    free(loop);
}

void loop_run(struct loop *loop)
{
    event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void loop_stop(struct loop *loop)
{
    event_base_loopbreak(loop->base);
}

struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

void loop_later(struct loop *loop, struct loop_later *later, void (*run)(void *owner), void *owner)
{
    if (later->next)
        return;
    later->run = run;
    later->owner = owner;
    later->loop = loop;
    if (loop->later.next == &loop->later)
        event_active(loop->later_event, EV_TIMEOUT, 0);
    later->prev = loop->later.prev;
    later->next = &loop->later;
    loop->later.prev->next = later;
    loop->later.prev = later;
}

void loop_later_cancel(struct loop_later *later)
{
    if (later->next)
        unlink_later(later);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct loop_timer *timer = arg;
    timer->run(timer->owner);
}

struct loop_timer *loop_timer_new(struct loop *loop, void (*run)(void *owner), void *owner)
{
    struct loop_timer *timer = mem_new(struct loop_timer);
    timer->run = run;
    timer->owner = owner;
    timer->event = evtimer_new(loop->base, on_timer, timer);
    return timer;
}

void loop_timer_start(struct loop_timer *timer, int64_t delay_ms)
{
    if (delay_ms < 0)
        delay_ms = 0;
    struct timeval tv = {.tv_sec = delay_ms / 1000, .tv_usec = (delay_ms % 1000) * 1000};
    evtimer_add(timer->event, &tv);
}

void loop_timer_stop(struct loop_timer *timer)
{
    evtimer_del(timer->event);
}

void loop_timer_free(struct loop_timer *timer)
{
    if (!timer)
        return;
    event_free(timer->event);
    free(timer);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct loop_fd *watch = arg;
    watch->run(watch->owner, (what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0));
}

struct loop_fd *loop_fd_new(struct loop *loop, int fd, void (*run)(void *owner, int ready),
                            void *owner)
{
    struct loop_fd *watch = mem_new(struct loop_fd);
    watch->loop = loop;
    watch->fd = fd;
    watch->run = run;
    watch->owner = owner;
    watch->event = event_new(loop->base, fd, 0, on_ready, watch);
    return watch;
}

void loop_fd_want(struct loop_fd *watch, int interest)
{
    if (interest == watch->interest)
        return;
    event_del(watch->event);
    watch->interest = interest;
    if (interest == 0)
        return;
    short what = EV_PERSIST;
    what |= interest & LOOP_READ ? EV_READ : 0;
    what |= interest & LOOP_WRITE ? EV_WRITE : 0;
    event_assign(watch->event, watch->loop->base, watch->fd, what, on_ready, watch);
    event_add(watch->event, NULL);
}

void loop_fd_free(struct loop_fd *watch)
{
    if (!watch)
        return;
    event_free(watch->event);
    free(watch);
}

static void on_signal(evutil_socket_t signal, short what, void *arg)
{
    (void)what;
    struct signal_watch *watch = arg;
    watch->run(watch->owner, (int)signal);
}

void loop_on_signal(struct loop *loop, int signal, void (*run)(void *owner, int signal),
                    void *owner)
{
    struct signal_watch *watch = mem_new(struct signal_watch);
    watch->run = run;
    watch->owner = owner;
    watch->event = evsignal_new(loop->base, signal, on_signal, watch);
    watch->next = loop->signals;
    loop->signals = watch;
    evsignal_add(watch->event, NULL);
}

const char *loop_library(void)
{
    return event_get_version();
}
