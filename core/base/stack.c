/* stack.c: see stack.h. */
#include "base/stack.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum { DEEP_MAX = 4 << 20 };

/* The address below which the stack is deep. */
static uintptr_t find_mark(void)
{
    pthread_attr_t attributes;
    void *lowest;
    size_t size;

    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return 0;
    pthread_attr_getstack(&attributes, &lowest, &size);
    pthread_attr_destroy(&attributes);
    return (uintptr_t)lowest + size - (size / 2 < DEEP_MAX ? size / 2 : DEEP_MAX);
}

bool stack_is_deep(void)
{
    static uintptr_t mark;
    if (!mark)
        mark = find_mark();
    return (uintptr_t)__builtin_frame_address(0) < mark;
}
