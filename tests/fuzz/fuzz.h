/* fuzz.h: what a fuzz target is: one function that must survive any bytes. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise that must hold for every input; unlike assert(), in every build. */
#define PROMISE(condition) ((condition) ? (void)0 : abort())
