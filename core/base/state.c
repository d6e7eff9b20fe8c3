/* state.c: see state.h. */
#include "base/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct server_state *state_create(void)
{
    void *zone = mmap(NULL, sizeof(struct server_state), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (zone == MAP_FAILED) {
        perror("fura: cannot share the server's state");
        abort();
    }
    return zone;
}

void state_free(struct server_state *state)
{
    if (state)
        munmap(state, sizeof *state);
}
