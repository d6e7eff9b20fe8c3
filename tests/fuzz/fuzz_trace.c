/* traceparent: what is accepted is continued by a header that is accepted too, in the same trace. */
#include "fuzz.h"

#include "../../core/bind/trace.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of((const char *)data, size);
    char parent[TRACE_CHARS + 1] = {0}, child[TRACE_CHARS + 1];

    if (!trace_is_valid(input))
        return 0;
    memcpy(parent, input.data, input.len);
    trace_continue(parent, child);
    PROMISE(trace_is_valid(slice_cstr(child)));
    PROMISE(memcmp(parent, child, PARENT_AT) == 0);
    return 0;
}
