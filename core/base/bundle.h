/* bundle.h: all sources a generation is built from, read once into one sealed memory file with a content hash:
 * lua/, migrations/, plugins/ named by the conf, static files, and the effective conf. Workers build from it and never from
 * the disk, so every worker and every later restart sees the same bytes. */
#pragma once

#include "base/conf.h"
#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>

struct bundle;

/* Read everything under conf's root. `problems` gets file:line lines on R_INVALID. */
enum result bundle_read(const struct conf_source *source, const struct conf *conf,
                        struct bundle **out, struct buf *problems);
/* The memory file, for passing to workers; owned by the bundle. */
int bundle_fd(const struct bundle *bundle);
enum result bundle_map(int fd, struct bundle **out); /* takes `fd` */
void bundle_free(struct bundle *bundle);

/* SHA-256 of all content, 64 hex digits. */
const char *bundle_hash(const struct bundle *bundle);
/* Append the hash of the sources alone: nodes whose settings differ have it in common. Works it out anew. */
void bundle_hash_sources(const struct bundle *bundle, struct buf *out);
/* `path` like "lua/rules/card.lua". False when absent. */
bool bundle_find(const struct bundle *bundle, struct slice path, struct slice *content);
unsigned bundle_count(const struct bundle *bundle);
struct slice bundle_path_at(const struct bundle *bundle, unsigned index, struct slice *content);
struct slice bundle_conf(const struct bundle *bundle); /* for conf_unpack */
