/* resolve.c: see resolve.h. */
#include "net/resolve.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ADDRESSES_MAX = 16, SETTLE_MS = 1000 };

static const char *const files[] = {"/etc/hosts", "/etc/resolv.conf"};
enum { FILE_COUNT = sizeof files / sizeof files[0] };

struct resolve {
    struct loop *loop;
    struct evdns_base *dns; /* NULL until the first name */
    struct timespec read_at[FILE_COUNT];
    unsigned open_questions;
    int64_t last_answer_ms;
};

struct resolve_question {
    struct resolve *resolve;
    struct evdns_getaddrinfo_request *request;
    resolve_done *done; /* NULL once forgotten */
    void *owner;
    struct loop_later later;
    enum result rc;
    unsigned count;
    struct resolve_address addresses[ADDRESSES_MAX];
};

struct resolve *resolve_open(struct loop *loop)
{
    struct resolve *resolve = mem_new(struct resolve);
    resolve->loop = loop;
    return resolve;
}

void resolve_close(struct resolve *resolve)
{
    if (!resolve)
        return;
    if (resolve->dns)
        evdns_base_free(resolve->dns, 0);
    free(resolve);
}

/* True when a file differs from what evdns has read; remembers the new state. */
static bool notice_changes(struct resolve *resolve)
{
    bool changed = false;
    for (unsigned i = 0; i < FILE_COUNT; i++) {
        struct stat st = {0};
        struct timespec *seen = &resolve->read_at[i];
        if (stat(files[i], &st) == 0 &&
            (st.st_mtim.tv_sec != seen->tv_sec || st.st_mtim.tv_nsec != seen->tv_nsec)) {
            *seen = st.st_mtim;
            changed = true;
        }
    }
    return changed;
}

/* evdns finishes the losing half of a question (A or AAAA) a moment after its answer and then still
 * touches its base, hence the pause before an old base is dropped. */
static void refresh(struct resolve *resolve)
{
    if (resolve->dns &&
        (resolve->open_questions > 0 ||
         clock_monotonic_ms() - resolve->last_answer_ms < SETTLE_MS || !notice_changes(resolve)))
        return;
    if (resolve->dns)
        evdns_base_free(resolve->dns, 0);
    else
        notice_changes(resolve);
    resolve->dns = evdns_base_new(loop_base(resolve->loop), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    /* Without resolv.conf this reports an error but has set up 127.0.0.1 and /etc/hosts. */
    evdns_base_resolv_conf_parse(resolve->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf");
}

static void on_ready(void *owner)
{
    struct resolve_question *question = owner;
    resolve_done *done = question->done;
    question->resolve->open_questions--;
    if (done)
        done(question->owner, question->rc, question->addresses, question->count);
    free(question);
}

static void add_address(struct resolve_question *question, const void *address, socklen_t len)
{
    if (question->count == ADDRESSES_MAX || len > sizeof(struct sockaddr_storage))
        return;
    struct resolve_address *slot = &question->addresses[question->count++];
    memcpy(&slot->storage, address, len);
    slot->len = len;
}

static enum result result_of(int error)
{
    if (error == EVUTIL_EAI_NONAME || error == EVUTIL_EAI_NODATA)
        return R_NOT_FOUND;
    return error == 0 ? R_OK : R_UNAVAILABLE;
}

static void on_addresses(int error, struct evutil_addrinfo *list, void *arg)
{
    struct resolve_question *question = arg;
    question->request = NULL;
    question->resolve->last_answer_ms = clock_monotonic_ms();
    for (struct evutil_addrinfo *it = list; it; it = it->ai_next)
        add_address(question, it->ai_addr, (socklen_t)it->ai_addrlen);
    if (list)
        evutil_freeaddrinfo(list);
    question->rc = error == 0 && question->count == 0 ? R_NOT_FOUND : result_of(error);
    loop_later(question->resolve->loop, &question->later, on_ready, question);
}

static bool answer_literal(struct resolve_question *question, const char *host, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
        add_address(question, &v4, sizeof v4);
    else if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
        add_address(question, &v6, sizeof v6);
    else
        return false;
    loop_later(question->resolve->loop, &question->later, on_ready, question);
    return true;
}

struct resolve_question *resolve_ask(struct resolve *resolve, const char *host, uint16_t port,
                                     resolve_done *done, void *owner)
{
    struct resolve_question *question = mem_new(struct resolve_question);
    question->resolve = resolve;
    question->done = done;
    question->owner = owner;
    if (answer_literal(question, host, port)) {
        resolve->open_questions++;
        return question;
    }

    refresh(resolve);
    resolve->open_questions++;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct evutil_addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = EVUTIL_AI_ADDRCONFIG};
    struct evdns_getaddrinfo_request *request =
        evdns_getaddrinfo(resolve->dns, host, service, &hints, on_addresses, question);
    /* on_addresses may have run already; then there is nothing to cancel. */
    if (!question->later.next)
        question->request = request;
    return question;
}

void resolve_forget(struct resolve_question *question)
{
    question->done = NULL;
    if (question->request) {
        evdns_getaddrinfo_cancel(question->request); /* on_addresses still comes, and ends it */
        return;
    }
    loop_later_cancel(&question->later);
    question->resolve->open_questions--;
    free(question);
}
