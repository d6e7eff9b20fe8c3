/* fetch_names.c: see fetch_names.h. curl would resolve names on threads of its own, which the
 * deadline of a call cannot stop without joining them; so it is always given addresses. */
#include "net/fetch_names.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/resolve.h"

#include <netdb.h>
#include <stdlib.h>

enum { NAMES_MAX = 256, FRESH_MS = 30 * 1000 };

struct fetch_name {
    struct fetch_names *names;
    char *host;
    struct buf
        addresses; /* empty until known; kept when old, for the time no name server answers */
    int64_t fresh_until_ms;
    struct resolve_question *question; /* NULL when none is open */
    struct fetch_name_wait waiting;    /* list head */
    struct fetch_name *next;
};

struct fetch_names {
    struct resolve *resolve;
    struct fetch_name *first;
    unsigned count;
};

struct fetch_names *fetch_names_open(struct loop *loop)
{
    struct fetch_names *names = mem_new(struct fetch_names);
    names->resolve = resolve_open(loop);
    return names;
}

static void free_name(struct fetch_name *name)
{
    if (name->question)
        resolve_forget(name->question);
    buf_free(&name->addresses);
    free(name->host);
    free(name);
}

void fetch_names_close(struct fetch_names *names)
{
    while (names->first) {
        struct fetch_name *name = names->first;
        names->first = name->next;
        free_name(name);
    }
    resolve_close(names->resolve);
    free(names);
}

static struct fetch_name *find(const struct fetch_names *names, const char *host)
{
    struct fetch_name *name = names->first;
    while (name && strcasecmp(name->host, host) != 0)
        name = name->next;
    return name;
}

const char *fetch_names_known(struct fetch_names *names, const char *host)
{
    struct fetch_name *name = find(names, host);
    bool fresh = name && name->addresses.len > 0 && clock_monotonic_ms() < name->fresh_until_ms;
    return fresh ? buf_cstr(&name->addresses) : NULL;
}

/* A table that is full loses its oldest name that nobody asks about. */
static void make_room(struct fetch_names *names)
{
    struct fetch_name **oldest = NULL;

    if (names->count < NAMES_MAX)
        return;
    for (struct fetch_name **at = &names->first; *at; at = &(*at)->next)
        if (!(*at)->question && (!oldest || (*at)->fresh_until_ms <= (*oldest)->fresh_until_ms))
            oldest = at;
    if (oldest) {
        struct fetch_name *name = *oldest;
        *oldest = name->next;
        names->count--;
        free_name(name);
    }
}

static struct fetch_name *add(struct fetch_names *names, const char *host)
{
    make_room(names);
    struct fetch_name *name = mem_new(struct fetch_name);
    name->names = names;
    name->host = mem_strdup(host);
    name->waiting.next = name->waiting.prev = &name->waiting;
    name->next = names->first;
    names->first = name;
    names->count++;
    return name;
}

static void keep_addresses(struct fetch_name *name, const struct resolve_address *addresses,
                           unsigned count)
{
    char text[NI_MAXHOST];

    buf_clear(&name->addresses);
    for (unsigned i = 0; i < count; i++) {
        const struct sockaddr *address = (const struct sockaddr *)&addresses[i].storage;
        if (getnameinfo(address, addresses[i].len, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        buf_printf(&name->addresses, address->sa_family == AF_INET6 ? "%s[%s]" : "%s%s",
                   name->addresses.len > 0 ? "," : "", text);
    }
    name->fresh_until_ms = clock_monotonic_ms() + FRESH_MS;
}

static void on_resolved(void *owner, enum result rc, const struct resolve_address *addresses,
                        unsigned count)
{
    struct fetch_name *name = owner;

    name->question = NULL;
    if (rc == R_OK)
        keep_addresses(name, addresses, count);
    else if (rc == R_NOT_FOUND)
        buf_clear(&name->addresses);
    if (rc == R_UNAVAILABLE && name->addresses.len > 0)
        rc = R_OK;
    if (rc == R_OK && name->addresses.len == 0)
        rc = R_NOT_FOUND;
    while (name->waiting.next != &name->waiting) {
        struct fetch_name_wait *wait = name->waiting.next;
        fetch_names_forget(wait);
        wait->done(wait->owner, rc, rc == R_OK ? buf_cstr(&name->addresses) : NULL);
    }
}

void fetch_names_wait(struct fetch_names *names, const char *host, struct fetch_name_wait *wait)
{
    struct fetch_name *name = find(names, host);
    if (!name)
        name = add(names, host);
    wait->name = name;
    wait->next = &name->waiting;
    wait->prev = name->waiting.prev;
    wait->prev->next = wait;
    name->waiting.prev = wait;
    if (!name->question)
        name->question = resolve_ask(names->resolve, host, 0, on_resolved, name);
}

void fetch_names_forget(struct fetch_name_wait *wait)
{
    if (!wait->name)
        return;
    wait->prev->next = wait->next;
    wait->next->prev = wait->prev;
    wait->name = NULL;
}
