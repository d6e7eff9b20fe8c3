/* static_files.h: files kept in memory and answered without a script. Each is known by its plain name, which is
 * revalidated, and by a name with its content's hash (`app.css` → `app.1a2b3c4d.css`, the first 8 hex digits of
 * SHA-256), which never changes and may be kept for ever. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>

struct http_request;
struct static_files;

struct static_files *static_files_new(void);
void static_files_free(struct static_files *files); /* NULL is fine */

/* Copies `name`, borrows `content` for its life. Text is compressed here, once. A name added twice keeps the first
 * content. */
void static_files_add(struct static_files *files, struct slice name, struct slice content);

/* Answer `req` with the file called `name` (the path below the mount point, as sent): GET and HEAD with ETag, ranges and
 * gzip; other methods get 405. A hash of another version gives today's content, not to be kept. False when there is
 * no such file and nothing was answered. */
bool static_files_serve(const struct static_files *files, struct http_request *req,
                        struct slice name);
/* Does the name carry the hash of just the content we have? */
bool static_files_is_current(const struct static_files *files, struct slice name);
