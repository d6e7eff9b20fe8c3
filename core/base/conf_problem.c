/* conf_problem.c: everything that is wrong with the settings, collected and told at once. */
#include "base/conf_parts.h"
#include "base/mem.h"

#include <stdlib.h>

static void add(struct conf_problems *problems, struct slice file, int line, struct slice text)
{
    problems->list = mem_realloc(problems->list, (problems->count + 1) * sizeof *problems->list);
    problems->list[problems->count++] = (struct conf_problem){
        .file = mem_strndup(file.data, file.len),
        .text = mem_strndup(text.data, text.len),
        .line = line,
    };
}

void conf_problem_add(struct conf_problems *problems, const char *file, int line,
                      const char *format, ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    add(problems, slice_cstr(file), line, slice_cstr(buf_cstr(&text)));
    buf_free(&text);
}

/* The length of «:12: » at `text`, 0 when something else is there. */
static size_t line_mark(const char *text, int *line)
{
    char *end;
    if (text[0] != ':' || text[1] < '0' || text[1] > '9')
        return 0;
    *line = (int)strtol(text + 1, &end, 10);
    return end[0] == ':' && end[1] == ' ' ? (size_t)(end + 2 - text) : 0;
}

void conf_problem_add_key(struct conf_problems *problems, const char *origin, const char *key,
                          const char *text)
{
    const char *colon = strrchr(origin, ':');
    int line = colon ? (int)strtol(colon + 1, NULL, 10) : 0;
    struct buf full = {0};
    buf_printf(&full, "%s: %s", key, text);
    add(problems, line > 0 ? slice_of(origin, (size_t)(colon - origin)) : slice_cstr(origin), line,
        buf_slice(&full));
    buf_free(&full);
}

void conf_problem_add_text(struct conf_problems *problems, const char *file, const char *text)
{
    for (const char *at = text; (at = strchr(at, ':')); at++) {
        int line;
        size_t mark = line_mark(at, &line);
        if (mark > 0) {
            add(problems, slice_of(text, (size_t)(at - text)), line, slice_cstr(at + mark));
            return;
        }
    }
    add(problems, slice_cstr(file), 0, slice_cstr(text));
}

void conf_problems_merge(struct conf_problems *to, struct conf_problems *from)
{
    if (from->count == 0)
        return;
    to->list = mem_realloc(to->list, (to->count + from->count) * sizeof *to->list);
    memcpy(to->list + to->count, from->list, from->count * sizeof *from->list);
    to->count += from->count;
    free(from->list);
    *from = (struct conf_problems){0};
}

static int by_place(const void *a, const void *b)
{
    const struct conf_problem *x = a, *y = b;
    int order = strcmp(x->file, y->file);
    if (order == 0)
        order = (x->line > y->line) - (x->line < y->line);
    return order ? order : strcmp(x->text, y->text);
}

void conf_problems_print(struct conf_problems *problems, struct buf *out)
{
    if (problems->count > 0)
        qsort(problems->list, problems->count, sizeof *problems->list, by_place);
    for (unsigned i = 0; i < problems->count; i++) {
        struct conf_problem *problem = &problems->list[i];
        if (problem->line > 0)
            buf_printf(out, "%s:%d: %s\n", problem->file, problem->line, problem->text);
        else
            buf_printf(out, "%s: %s\n", problem->file, problem->text);
        free(problem->file);
        free(problem->text);
    }
    free(problems->list);
    *problems = (struct conf_problems){0};
}
