/* crash.h: last words. A worker that dies of a signal writes where it was into memory shared with
 * the master, which turns them into a log line: both are forks of one image, so addresses agree. */
#pragma once

#include "base/buf.h"

struct crash_note;

struct crash_note *crash_note_new(void); /* shared memory; call before fork */
void crash_note_free(struct crash_note *note);
void crash_note_clear(struct crash_note *note);
/* In the worker: write into `note` on SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT, then die of it.
 */
void crash_watch(struct crash_note *note);
/* In the master: append «SIGSEGV at address 0x10; fura(+0x1234) …»; nothing when there are none. */
void crash_describe(const struct crash_note *note, struct buf *out);
