/* profile.h: where the scripts of this process spend CPU time: 100 samples for each second of it, by task, rule and
 * function (docs/adr/0011). */
#pragma once

#include "base/buf.h"
#include "base/result.h"

#include <stdint.h>

enum { PROFILE_SAMPLE_MS = 10, PROFILE_SECONDS_MAX = 300 };

/* From the thread that runs Lua. R_EXISTS: one is being taken; R_UNAVAILABLE: not possible here, `why` says the reason. */
enum result profile_start(struct failure *why);

/* End it. `folded` gets a line a stack: label of the task, rule or plugin, functions from the outermost and at the end the
 * line and the state of the VM, joined by ';', then a blank and the samples. Names of functions are looked up in `bundle` (or NULL). */
struct bundle;
struct profile_totals {
    uint64_t scripts, outside; /* samples in Lua; those of the thread while no Lua ran */
};
void profile_stop(const struct bundle *bundle, struct buf *folded, struct profile_totals *totals);
