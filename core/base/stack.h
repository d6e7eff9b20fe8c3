/* stack.h: how much of the C stack is used. Calls from Lua into C and back again nest on it, and beyond its end the process dies. */
#pragma once

#include <stdbool.h>

/* Is half of it used, or 4 MiB? For the thread that asked first, which is the only one that may ask. */
bool stack_is_deep(void);
