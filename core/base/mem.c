/* mem.c: see mem.h. */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_die(void *ptr, size_t size)
{
    if (ptr || size == 0)
        return ptr;
    fprintf(stderr, "fura: out of memory (%zu bytes)\n", size);
    abort();
}

void *mem_alloc(size_t size)
{
    return or_die(malloc(size), size);
}

void *mem_zalloc(size_t size)
{
    return or_die(calloc(1, size), size);
}

void *mem_realloc(void *ptr, size_t size)
{
    return or_die(realloc(ptr, size), size);
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *data, size_t len)
{
    char *copy = mem_alloc(len + 1);
    memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}
