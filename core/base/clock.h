/* clock.h: the two clocks. Deadlines use the monotonic one, people the wall clock. */
#pragma once

#include <stdint.h>

int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_ns(void);
int64_t clock_wall_ms(void);
int64_t clock_wall_us(void);
int64_t clock_cpu_ns(void); /* CPU time of the calling thread */
