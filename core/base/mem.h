/* mem.h: allocation that dies rather than fails, so that nobody writes out-of-memory branches.
 * Script memory is not allocated here: a Lua VM has its own cap (script/vm.h). */
#pragma once

#include <stddef.h>

/* Never NULL. mem_new gives zeroed memory. End with free(). */
void *mem_alloc(size_t size);
void *mem_zalloc(size_t size);
void *mem_realloc(void *ptr, size_t size);
char *mem_strdup(const char *text);
char *mem_strndup(const char *data, size_t len); /* adds the final NUL */

#define mem_new(type) ((type *)mem_zalloc(sizeof(type)))
