/* file.h: whole files. */
#pragma once

#include "base/buf.h"
#include "base/result.h"

/* Read a whole file, refusing to hold more than `limit` bytes. Appends to `out` only on R_OK. */
enum result file_read(const char *path, size_t limit, struct buf *out);
/* Replace a file so that readers see the old or the new one, never half: write beside, fsync, rename. */
enum result file_write_atomic(const char *path, struct slice content, unsigned mode);
/* Every regular file below `folder`, sorted, as paths relative to it, without hidden ones. R_NOT_FOUND when there is
 * no such folder. */
enum result file_walk(const char *folder, void (*visit)(void *owner, const char *relative_path),
                      void *owner);
