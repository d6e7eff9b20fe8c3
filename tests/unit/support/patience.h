/* patience.h: run a loop until something is so; the test fails when it is not within a minute. */
#pragma once

#include <stdbool.h>

struct loop;

void patience_until(struct loop *loop, bool (*holds)(const void *of), const void *of);
