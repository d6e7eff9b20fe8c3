/* result.h: how every fallible function of the core answers.
 * The enum travels through C; its code (stable, snake_case) is what scripts and clients see. */
#pragma once

/* POSIX has a macro R_OK, worth 4, in these two: read them first, so that it can never come back over ours. */
#include <fcntl.h>
#include <unistd.h>
#undef R_OK

enum result {
    R_OK,
    R_TIMEOUT,     /* the deadline passed; whether the other side acted is unknown */
    R_CLOSED,      /* the connection ended before the answer */
    R_CANCELLED,   /* our side gave up: the task ended or the client went away */
    R_OVERLOADED,  /* a bounded queue is full; nothing was sent */
    R_UNAVAILABLE, /* no connection could be made */
    R_DENIED,      /* the other side refused our credentials or rights */
    R_NOT_FOUND,
    R_EXISTS,
    R_TOO_BIG,  /* over a configured size limit */
    R_INVALID,  /* malformed input or answer */
    R_REJECTED, /* understood and refused: a server error reply, a failed check */
    R_IO,       /* the operating system said no; errno has more */
};

/* The stable code of a result: "ok", "timeout", … Never NULL. */
const char *result_code(enum result rc);

/* A failure with words for people. Filled only by functions that say so. */
struct failure {
    enum result rc;
    char code[48];  /* overrides result_code(rc) when a driver knows better; may be empty */
    char text[400]; /* one sentence, no secrets */
};

/* Fill `failure` (which may be NULL) and return `rc`, so that refusals read as one line. */
enum result fail(struct failure *failure, enum result rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
