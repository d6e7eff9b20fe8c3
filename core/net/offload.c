/* offload.c: see offload.h. Work goes over a mutex-guarded list to the thread; results come back on
 * another list and an eventfd wakes the loop. */
#include "net/offload.h"
#include "base/mem.h"
#include "net/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { WAITING_MAX = 64 }; /* at tens of milliseconds each more would only time out */

struct job {
    void (*work)(void *owner);
    void (*done)(void *owner);
    void *owner;
    struct job *next;
};

struct queue {
    struct job *first, **last;
};

struct offload {
    int event_fd;
    struct loop_fd *watch;
    bool started;
    pthread_t thread;
    pthread_mutex_t lock; /* guards everything below */
    pthread_cond_t more;
    struct queue waiting, finished;
    unsigned waiting_count;
    bool stopping;
};

static void push(struct queue *queue, struct job *job)
{
    job->next = NULL;
    *queue->last = job;
    queue->last = &job->next;
}

static struct job *pop(struct queue *queue)
{
    struct job *job = queue->first;
    if (job) {
        queue->first = job->next;
        if (!queue->first)
            queue->last = &queue->first;
    }
    return job;
}

static void *run_thread(void *arg)
{
    struct offload *offload = arg;

    pthread_mutex_lock(&offload->lock);
    while (!offload->stopping) {
        struct job *job = pop(&offload->waiting);
        if (!job) {
            pthread_cond_wait(&offload->more, &offload->lock);
            continue;
        }
        offload->waiting_count--;
        pthread_mutex_unlock(&offload->lock);
        job->work(job->owner);
        pthread_mutex_lock(&offload->lock);
        push(&offload->finished, job);
        eventfd_write(offload->event_fd, 1);
    }
    pthread_mutex_unlock(&offload->lock);
    return NULL;
}

/* `done` may start new work or take long: the lock is never held around it. */
static void finish_all(struct offload *offload, struct queue *queue)
{
    for (;;) {
        pthread_mutex_lock(&offload->lock);
        struct job *job = pop(queue);
        pthread_mutex_unlock(&offload->lock);
        if (!job)
            return;
        job->done(job->owner);
        free(job);
    }
}

static void on_finished(void *owner, int ready)
{
    (void)ready;
    struct offload *offload = owner;
    eventfd_t count;

    eventfd_read(offload->event_fd, &count);
    finish_all(offload, &offload->finished);
}

struct offload *offload_new(struct loop *loop)
{
    struct offload *offload = mem_new(struct offload);

    offload->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (offload->event_fd < 0) {
        perror("offload: eventfd");
        abort();
    }
    offload->watch = loop_fd_new(loop, offload->event_fd, on_finished, offload);
    loop_fd_want(offload->watch, LOOP_READ);
    pthread_mutex_init(&offload->lock, NULL);
    pthread_cond_init(&offload->more, NULL);
    offload->waiting.last = &offload->waiting.first;
    offload->finished.last = &offload->finished.first;
    return offload;
}

/* The thread inherits a full signal mask: signals, the script watchdog's above all, belong to the
 * main thread. */
static bool start_thread(struct offload *offload)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    offload->started = pthread_create(&offload->thread, NULL, run_thread, offload) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return offload->started;
}

enum result offload_run(struct offload *offload, void (*work)(void *owner),
                        void (*done)(void *owner), void *owner)
{
    if (!offload->started && !start_thread(offload))
        return R_UNAVAILABLE;

    pthread_mutex_lock(&offload->lock);
    bool room = offload->waiting_count < WAITING_MAX && !offload->stopping;
    if (room) {
        struct job *job = mem_new(struct job);
        *job = (struct job){.work = work, .done = done, .owner = owner};
        push(&offload->waiting, job);
        offload->waiting_count++;
        pthread_cond_signal(&offload->more);
    }
    pthread_mutex_unlock(&offload->lock);
    return room ? R_OK : R_OVERLOADED;
}

void offload_free(struct offload *offload)
{
    pthread_mutex_lock(&offload->lock);
    offload->stopping = true;
    pthread_cond_signal(&offload->more);
    pthread_mutex_unlock(&offload->lock);
    if (offload->started)
        pthread_join(offload->thread, NULL);

    finish_all(offload, &offload->finished);
    finish_all(offload, &offload->waiting);
    loop_fd_free(offload->watch);
    close(offload->event_fd);
    pthread_cond_destroy(&offload->more);
    pthread_mutex_destroy(&offload->lock);
    free(offload);
}
