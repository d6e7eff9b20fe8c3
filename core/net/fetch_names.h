/* fetch_names.h: the addresses of hosts for fetch*.c: short-lived cache over resolve.h, one
 * question per host at a time. */
#pragma once

#include "base/result.h"

struct loop;
struct fetch_names;
struct fetch_name;

/* One that waits; embedded in a call. */
struct fetch_name_wait {
    /* Once, never inside fetch_names_wait(): R_OK, or R_NOT_FOUND (no such name), R_UNAVAILABLE (no
     * name server answered). `addresses` like "192.0.2.7,[2001:db8::1]", borrowed. */
    void (*done)(void *owner, enum result rc, const char *addresses);
    void *owner;
    struct fetch_name *name; /* private, as are these */
    struct fetch_name_wait *next, *prev;
};

struct fetch_names *fetch_names_open(struct loop *loop);
void fetch_names_close(struct fetch_names *names); /* nobody may be waiting */

/* What is known at once, borrowed until the next call; NULL: wait for it. */
const char *fetch_names_known(struct fetch_names *names, const char *host);
void fetch_names_wait(struct fetch_names *names, const char *host, struct fetch_name_wait *wait);
void fetch_names_forget(struct fetch_name_wait *wait); /* not waiting is fine */
