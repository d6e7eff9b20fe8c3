/* flame_graph.c: see flame_graph.h. */
#include "base/flame_graph.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>

enum {
    WIDTH = 1200,
    MARGIN = 10,
    HEADER = 52,
    ROW = 18,
    CHAR_TENTHS = 66, /* width of a letter at 11 px, in tenths of a pixel */
};
static const double NARROWEST = 0.3; /* boxes below this many pixels are left out */

struct node {
    struct slice name; /* part of a text in `stacks` */
    uint64_t samples;
    struct node *children, *next;
};

struct tree {
    struct node root;
    unsigned depth;
};

/* ---- the tree ---- */

static struct node *child_of(struct node *node, struct slice name)
{
    struct node **link = &node->children;
    while (*link && !slice_eq((*link)->name, name))
        link = &(*link)->next;
    if (!*link) {
        *link = mem_new(struct node);
        (*link)->name = name;
    }
    return *link;
}

static void on_stack(void *owner, struct slice stack, uint64_t times)
{
    struct tree *tree = owner;
    struct node *node = &tree->root;
    unsigned depth = 1;

    node->samples += times;
    while (stack.len > 0) {
        node = child_of(node, slice_cut(&stack, ';'));
        node->samples += times;
        depth++;
    }
    tree->depth = depth > tree->depth ? depth : tree->depth;
}

static void free_children(struct node *node)
{
    while (node->children) {
        struct node *child = node->children;
        node->children = child->next;
        free_children(child);
        free(child);
    }
}

/* ---- drawing ---- */

/* As XML wants it: escaped, valid UTF-8, no control characters. At most `max` letters, the last one then being «…». */
static void append_text(struct buf *out, struct slice text, size_t max)
{
    static const struct {
        char letter;
        const char *as;
    } escapes[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};
    size_t letters = 0;

    while (text.len > 0) {
        unsigned len = utf8_sequence(text.data, text.len);
        if (++letters == max && text.len > len) {
            buf_append_slice(out, SLICE("…"));
            return;
        }
        const char *as = len == 0 || (unsigned char)text.data[0] < ' ' ? "?" : NULL;
        for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
            if (text.data[0] == escapes[i].letter)
                as = escapes[i].as;
        if (as)
            buf_append_slice(out, slice_cstr(as));
        else
            buf_append(out, text.data, len);
        text = slice_from(text, len ? len : 1);
    }
}

/* Warm colours that differ by name; rules, plugins and the core stand out. */
static void append_colour(struct buf *out, struct slice name)
{
    unsigned hash = 7;
    for (size_t i = 0; i < name.len; i++)
        hash = hash * 31 + (unsigned char)name.data[i];
    unsigned hue = 20 + hash % 35, light = 62 + hash / 64 % 12;
    if (slice_starts(name, SLICE("rule ")))
        hue = 140;
    else if (slice_starts(name, SLICE("plugin ")))
        hue = 200;
    else if (slice_starts(name, SLICE("(")))
        hue = 265;
    buf_printf(out, "hsl(%u,70%%,%u%%)", hue, light);
}

struct drawing {
    struct buf *out;
    uint64_t total;
    double pixels_per_sample;
};

static void draw_box(const struct drawing *drawing, const struct node *node, double x, unsigned row)
{
    double width = (double)node->samples * drawing->pixels_per_sample;
    unsigned y = HEADER + row * ROW;
    size_t letters = width > 14 ? (size_t)((width - 6) * 10 / CHAR_TENTHS) : 0;
    struct buf *out = drawing->out;

    buf_append_slice(out, SLICE("<g><title>"));
    append_text(out, node->name, SIZE_MAX);
    buf_printf(out, " — %llu of %llu samples, %.2f%%</title>", (unsigned long long)node->samples,
               (unsigned long long)drawing->total,
               100.0 * (double)node->samples / (double)drawing->total);
    buf_printf(out, "<rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%d\" fill=\"", x, y, width,
               ROW - 1);
    append_colour(out, node->name);
    buf_append_slice(out, SLICE("\"/>"));
    if (letters >= 2) {
        buf_printf(out, "<text x=\"%.2f\" y=\"%u\">", x + 3, y + 13);
        append_text(out, node->name, letters);
        buf_append_slice(out, SLICE("</text>"));
    }
    buf_append_slice(out, SLICE("</g>\n"));
}

static void draw(const struct drawing *drawing, const struct node *node, double x, unsigned row)
{
    if ((double)node->samples * drawing->pixels_per_sample < NARROWEST)
        return;
    draw_box(drawing, node, x, row);
    for (const struct node *child = node->children; child; child = child->next) {
        draw(drawing, child, x, row + 1);
        x += (double)child->samples * drawing->pixels_per_sample;
    }
}

void flame_graph_append(struct buf *out, const struct counts *stacks, const char *root,
                        struct slice subtitle)
{
    struct tree tree = {.root.name = slice_cstr(root)};

    counts_each(stacks, 0, on_stack, &tree);
    struct drawing drawing = {
        .out = out,
        .total = tree.root.samples,
        .pixels_per_sample =
            tree.root.samples ? (double)(WIDTH - 2 * MARGIN) / (double)tree.root.samples : 0};
    unsigned height = HEADER + tree.depth * ROW + MARGIN;
    buf_printf(out,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %u\" width=\"%d\" "
               "height=\"%u\">\n"
               "<style>text{font:11px monospace;fill:#222}.head{font:16px sans-serif}"
               ".sub{font:12px sans-serif;fill:#555}g:hover rect{stroke:#000}</style>\n"
               "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
               "<text class=\"head\" x=\"%d\" y=\"22\">CPU profile</text>"
               "<text class=\"sub\" x=\"%d\" y=\"40\">",
               WIDTH, height, WIDTH, height, MARGIN, MARGIN);
    append_text(out, subtitle, SIZE_MAX);
    buf_append_slice(out, SLICE("</text>\n"));
    draw(&drawing, &tree.root, MARGIN, 0);
    buf_append_slice(out, SLICE("</svg>\n"));
    free_children(&tree.root);
}
