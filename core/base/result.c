/* result.c: names of results. */
#include "base/result.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const codes[] = {
    [R_OK] = "ok",
    [R_TIMEOUT] = "timeout",
    [R_CLOSED] = "closed",
    [R_CANCELLED] = "cancelled",
    [R_OVERLOADED] = "overloaded",
    [R_UNAVAILABLE] = "unavailable",
    [R_DENIED] = "denied",
    [R_NOT_FOUND] = "not_found",
    [R_EXISTS] = "exists",
    [R_TOO_BIG] = "too_big",
    [R_INVALID] = "invalid",
    [R_REJECTED] = "rejected",
    [R_IO] = "io_error",
};

const char *result_code(enum result rc)
{
    return codes[rc];
}

enum result fail(struct failure *failure, enum result rc, const char *format, ...)
{
    if (failure) {
        va_list args;
        va_start(args, format);
        vsnprintf(failure->text, sizeof failure->text, format, args);
        va_end(args);
        failure->code[0] = '\0';
        failure->rc = rc;
    }
    return rc;
}
