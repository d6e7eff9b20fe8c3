/* fuzz_router.c: the first line is a pattern, the second a path. */
#include "base/mem.h"
#include "net/router.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_match(const struct router *router, struct slice path)
{
    struct router_match match;
    enum result rc = router_match(router, SLICE("GET"), path, &match);
    check(rc == R_OK || rc == R_NOT_FOUND || rc == R_DENIED || rc == R_INVALID);
    if (rc == R_DENIED)
        check(*match.allow);
    if (rc != R_OK)
        return;
    for (unsigned i = 0; i < match.param_count; i++) {
        check(match.params[i].name.len > 0 && match.params[i].value.len > 0);
        check(match.params[i].value.data >= path.data);
        check(match.params[i].value.data + match.params[i].value.len <= path.data + path.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *newline = size ? memchr(data, '\n', size) : NULL;
    size_t len = newline ? (size_t)(newline - (const char *)data) : size;
    char *pattern = mem_strndup((const char *)data, len);
    struct slice path = slice_from(slice_of((const char *)data, size), newline ? len + 1 : len);
    struct router *router = router_new();
    router_add(router, "POST", "/{a}/{b:int}/c", 1, NULL);
    router_add(router, "GET", "/x/{b}/{r:rest}", 2, NULL);
    if (router_add(router, "GET", pattern, 3, NULL) == R_OK)
        check(router_add(router, "GET", pattern, 4, NULL) == R_EXISTS);
    check_match(router, path);
    router_free(router);
    free(pattern);
    return 0;
}
