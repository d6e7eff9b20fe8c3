/* fetch_multi.c: libcurl's multi socket interface on our loop: curl says which descriptors and
 * which moment it waits for, the loop tells it when they come, and finished transfers are collected
 * after each such step. */
#include "net/fetch_call.h"
#include "base/mem.h"

#include <stdlib.h>

enum { IDLE_CONNECTIONS_MAX = 64 };

static void reap(struct fetch *fetch)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(fetch->multi, &left))) {
        struct fetch_call *call;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        fetch_call_transferred(call, code); /* may take the handle away: `message` is gone now */
    }
}

static void step(struct fetch *fetch, curl_socket_t fd, int events)
{
    int running;
    curl_multi_socket_action(fetch->multi, fd, events, &running);
    reap(fetch);
}

static void on_timer(void *owner)
{
    step(owner, CURL_SOCKET_TIMEOUT, 0);
}

struct socket_watch {
    struct fetch *fetch;
    curl_socket_t fd;
    struct loop_fd *watch;
};

static void on_ready(void *owner, int ready)
{
    const struct socket_watch *watch = owner;
    step(watch->fetch, watch->fd,
         (ready & LOOP_READ ? CURL_CSELECT_IN : 0) | (ready & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *owner, void *watch_data)
{
    (void)easy;
    struct fetch *fetch = owner;
    struct socket_watch *watch = watch_data;

    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            loop_fd_free(watch->watch);
            free(watch);
        }
        return 0;
    }
    if (!watch) {
        watch = mem_new(struct socket_watch);
        *watch = (struct socket_watch){.fetch = fetch, .fd = fd};
        watch->watch = loop_fd_new(fetch->loop, fd, on_ready, watch);
        curl_multi_assign(fetch->multi, fd, watch);
    }
    loop_fd_want(watch->watch,
                 (what & CURL_POLL_IN ? LOOP_READ : 0) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0));
    return 0;
}

static int on_timer_wanted(CURLM *multi, long delay_ms, void *owner)
{
    (void)multi;
    struct fetch *fetch = owner;
    if (delay_ms < 0)
        loop_timer_stop(fetch->timer);
    else
        loop_timer_start(fetch->timer, delay_ms);
    return 0;
}

void fetch_multi_open(struct fetch *fetch, const struct fetch_options *options)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    fetch->multi = curl_multi_init();
    fetch->timer = loop_timer_new(fetch->loop, on_timer, fetch);
    curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
    curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETDATA, fetch);
    curl_multi_setopt(fetch->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(fetch->multi, CURLMOPT_TIMERDATA, fetch);
    curl_multi_setopt(fetch->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(fetch->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)options->max_per_host);
    curl_multi_setopt(fetch->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS_MAX);
}

void fetch_multi_close(struct fetch *fetch)
{
    curl_multi_cleanup(fetch->multi);
    loop_timer_free(fetch->timer);
}
