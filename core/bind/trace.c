/* trace.c: see trace.h. */
#include "bind/trace.h"
#include "base/crypto.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* 00-<trace id>-<parent id>-<flags> */
enum {
    TRACE_AT = 3,
    TRACE_LEN = 32,
    PARENT_AT = 36,
    PARENT_LEN = 16,
    FLAGS_AT = 53,
    FLAGS_LEN = 2
};

static bool is_hex(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!strchr("0123456789abcdef", at[i]) || at[i] == '\0')
            return false;
    return true;
}

static bool is_id(const char *at, size_t len)
{
    static const char zeros[] = "00000000000000000000000000000000";
    return is_hex(at, len) && memcmp(at, zeros, len) != 0;
}

bool trace_is_valid(struct slice traceparent)
{
    const char *at = traceparent.data;
    return traceparent.len == TRACE_CHARS && memcmp(at, "00-", 3) == 0 &&
           is_id(at + TRACE_AT, TRACE_LEN) && at[PARENT_AT - 1] == '-' &&
           is_id(at + PARENT_AT, PARENT_LEN) && at[FLAGS_AT - 1] == '-' &&
           is_hex(at + FLAGS_AT, FLAGS_LEN);
}

void trace_continue(const char *parent, char out[TRACE_CHARS + 1])
{
    uint64_t own = 0;
    while (own == 0)
        crypto_random(&own, sizeof own);
    snprintf(out, TRACE_CHARS + 1, "%.*s%016llx%s", PARENT_AT, parent, (unsigned long long)own,
             parent + PARENT_AT + PARENT_LEN);
}
