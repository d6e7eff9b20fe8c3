/* flame_graph.h: folded stacks as a picture: one SVG file without scripts and without anything from elsewhere. */
#pragma once

#include "base/buf.h"
#include "base/counts.h"

/* `stacks`: frames from the outermost, joined by ';'. Each becomes a box as wide as its share of all samples, below its
 * caller; its title tells the whole name. `subtitle` stands under the title of the picture. */
void flame_graph_append(struct buf *out, const struct counts *stacks, const char *root,
                        struct slice subtitle);
