/* conf_lines.c: which line of a conf file gives which key. Lua forgets where a table's key was
 * written, so the source is read a second time by a small reader that knows tokens, table
 * constructors and just enough of statements:
 *
 *     return { http = { max_headers = 10 } }         the usual form
 *     local c = include "base.lua"  c.env = "…"  return c      paths of locals start with «$c»
 *
 * What it does not understand it skips: such a key is reported with the line of the table around
 * it. */
#include "base/conf_parts.h"
#include "base/file.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_MAX_BYTES = 1 << 20, DEPTH_MAX = 64 };

struct conf_lines {
    struct conf_line *list;
    unsigned count;
    unsigned tables; /* constructors seen, for numbering them */
    int depth;       /* of includes and constructors together */
};

/* ---- tokens ---- */

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_STRING, TOKEN_MARK };

struct token {
    enum token_kind kind;
    struct slice text; /* of a string: what is between the quotes */
    char mark;         /* of one-byte marks; other operators have 0 */
    int line;
};

struct reader {
    struct conf_lines *lines;
    const struct conf_chunk *chunk;
    struct conf_problems *problems;
    const char *prefix; /* the key that includes this file; "" for the main one */
    const char *at, *end;
    int line;
    struct token token; /* the current one */
};

static char peek(const struct reader *reader, size_t offset)
{
    return (size_t)(reader->end - reader->at) > offset ? reader->at[offset] : '\0';
}

static void advance(struct reader *reader, size_t count)
{
    for (; count > 0 && reader->at < reader->end; count--)
        if (*reader->at++ == '\n')
            reader->line++;
}

/* The number of `=` when a long bracket opens here, else -1. */
static int long_bracket(const struct reader *reader)
{
    size_t level = 0;
    if (peek(reader, 0) != '[')
        return -1;
    while (peek(reader, 1 + level) == '=')
        level++;
    return peek(reader, 1 + level) == '[' ? (int)level : -1;
}

static struct slice read_long(struct reader *reader, int level)
{
    struct buf close = {0};
    buf_printf(&close, "]%.*s]", level, "================================");
    advance(reader, (size_t)level + 2);
    const char *start = reader->at;
    const char *stop = memmem(start, (size_t)(reader->end - start), close.data, close.len);
    struct slice text = slice_of(start, (size_t)((stop ? stop : reader->end) - start));
    advance(reader, text.len + close.len);
    buf_free(&close);
    return text;
}

static struct slice read_quoted(struct reader *reader)
{
    char quote = *reader->at;
    advance(reader, 1);
    const char *start = reader->at;
    while (reader->at < reader->end && *reader->at != quote)
        advance(reader, *reader->at == '\\' ? 2 : 1);
    struct slice text = slice_of(start, (size_t)(reader->at - start));
    advance(reader, 1);
    return text;
}

static void skip_blank(struct reader *reader)
{
    for (;;) {
        while (reader->at < reader->end && isspace((unsigned char)*reader->at))
            advance(reader, 1);
        if (peek(reader, 0) != '-' || peek(reader, 1) != '-')
            return;
        advance(reader, 2);
        int level = long_bracket(reader);
        if (level >= 0)
            read_long(reader, level);
        else
            while (reader->at < reader->end && *reader->at != '\n')
                advance(reader, 1);
    }
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Operators of two bytes are one token, so that `==` is not taken for the `=` of a key. */
static void read_mark(struct reader *reader)
{
    static const char *const pairs[] = {"==", "~=", "<=", ">=", ".."};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (peek(reader, 0) == pairs[i][0] && peek(reader, 1) == pairs[i][1]) {
            advance(reader, 2);
            return;
        }
    reader->token.mark = *reader->at;
    advance(reader, 1);
}

static void next(struct reader *reader)
{
    skip_blank(reader);
    reader->token = (struct token){.line = reader->line};
    int level = long_bracket(reader);
    char c = peek(reader, 0);
    if (reader->at >= reader->end) {
        reader->token.kind = TOKEN_END;
    } else if (level >= 0) {
        reader->token.kind = TOKEN_STRING;
        reader->token.text = read_long(reader, level);
    } else if (c == '"' || c == '\'') {
        reader->token.kind = TOKEN_STRING;
        reader->token.text = read_quoted(reader);
    } else if (is_word(c)) { /* numbers too: nobody asks */
        const char *start = reader->at;
        while (reader->at < reader->end && is_word(*reader->at))
            reader->at++;
        reader->token.kind = TOKEN_NAME;
        reader->token.text = slice_of(start, (size_t)(reader->at - start));
    } else {
        reader->token.kind = TOKEN_MARK;
        read_mark(reader);
    }
}

static struct token look_ahead(const struct reader *reader)
{
    struct reader copy = *reader;
    next(&copy);
    return copy.token;
}

static bool is_mark(const struct token *token, char mark)
{
    return token->kind == TOKEN_MARK && token->mark == mark;
}

static bool is_name(const struct token *token, const char *name)
{
    return token->kind == TOKEN_NAME && slice_eq(token->text, slice_cstr(name));
}

/* ---- notes ---- */

static char *join(const char *path, struct slice key)
{
    struct buf joined = {0};
    buf_printf(&joined, "%s%s%.*s", path, *path ? "." : "", (int)key.len, key.data);
    buf_cstr(&joined);
    return joined.data;
}

static void note(struct reader *reader, const char *path, int line, unsigned table)
{
    struct conf_lines *lines = reader->lines;
    const char *shown = conf_shown_path(reader->chunk->root, reader->chunk->path);
    for (unsigned i = 0; table && i < lines->count; i++)
        if (lines->list[i].table == table && strcmp(lines->list[i].path, path) == 0)
            conf_problem_add(reader->problems, shown, line,
                             "%s: is given twice (expected once, got it in line %d already)", path,
                             lines->list[i].line);
    lines->list = mem_realloc(lines->list, (lines->count + 1) * sizeof *lines->list);
    lines->list[lines->count++] = (struct conf_line){
        .path = mem_strdup(path), .file = mem_strdup(shown), .line = line, .table = table};
}

/* What is noted about the local `name` holds for `path` as well. */
static void note_alias(struct reader *reader, struct slice name, const char *path)
{
    struct conf_lines *lines = reader->lines;
    unsigned count = lines->count;
    for (unsigned i = 0; i < count; i++) {
        struct slice noted = slice_cstr(lines->list[i].path);
        if (noted.len <= name.len + 2 || noted.data[0] != '$' ||
            !slice_starts(slice_from(noted, 1), name) || noted.data[name.len + 1] != '.')
            continue;
        struct conf_line copy = lines->list[i];
        copy.path = join(path, slice_from(noted, name.len + 2));
        copy.file = mem_strdup(copy.file);
        copy.table = 0;
        lines->list = mem_realloc(lines->list, (lines->count + 1) * sizeof *lines->list);
        lines->list[lines->count++] = copy;
    }
}

/* ---- the grammar, as far as needed ---- */

static void read_value(struct reader *reader, const char *path);

/* Past everything up to the `,` `;` or `}` that ends this field. */
static void skip_field(struct reader *reader)
{
    static const char *const openers[] = {"function", "do", "if", "repeat"};
    for (int nesting = 0; reader->token.kind != TOKEN_END; next(reader)) {
        const struct token *token = &reader->token;
        bool closes = is_mark(token, '}') || is_mark(token, ')') || is_mark(token, ']');
        if (nesting == 0 && (closes || is_mark(token, ',') || is_mark(token, ';')))
            return;
        if (closes || is_name(token, "end") || is_name(token, "until"))
            nesting--;
        if (is_mark(token, '{') || is_mark(token, '(') || is_mark(token, '['))
            nesting++;
        for (size_t i = 0; i < sizeof openers / sizeof *openers; i++)
            nesting += is_name(token, openers[i]);
    }
}

/* `name =` or `["name"] =`; gives the key and stops at the value. False: a positional field or a
 * computed key. */
static bool read_key(struct reader *reader, struct slice *key)
{
    struct token ahead = look_ahead(reader);
    if (reader->token.kind == TOKEN_NAME && is_mark(&ahead, '=')) {
        *key = reader->token.text;
        next(reader);
        next(reader);
        return true;
    }
    if (!is_mark(&reader->token, '[') || ahead.kind != TOKEN_STRING)
        return false;
    next(reader);
    *key = reader->token.text;
    next(reader);
    if (is_mark(&reader->token, ']'))
        next(reader);
    if (!is_mark(&reader->token, '='))
        return false;
    next(reader);
    return true;
}

static void read_table(struct reader *reader, const char *path)
{
    unsigned table = ++reader->lines->tables, position = 0;
    next(reader);
    while (reader->token.kind != TOKEN_END && !is_mark(&reader->token, '}')) {
        int line = reader->token.line;
        char number[16];
        struct slice key;
        if (!read_key(reader, &key)) {
            snprintf(number, sizeof number, "%u", ++position);
            key = slice_cstr(number);
        }
        char *child = join(path, key);
        note(reader, child, line, table);
        read_value(reader, child);
        free(child);
        skip_field(reader);
        if (!is_mark(&reader->token, '}'))
            next(reader);
    }
    next(reader);
}

static void read_included(struct reader *reader, struct slice name, const char *path)
{
    struct buf file = {0}, source = {0};
    char *text = mem_strndup(name.data, name.len);
    conf_resolve_path(reader->chunk->path, text, &file);
    free(text);
    if (file_read(buf_cstr(&file), FILE_MAX_BYTES, &source) == R_OK) {
        struct conf_chunk chunk = {buf_slice(&source), file.data, reader->chunk->root};
        conf_lines_add(reader->lines, &chunk, path, reader->problems);
    }
    buf_free(&source);
    buf_free(&file);
}

static void read_value(struct reader *reader, const char *path)
{
    struct token ahead = look_ahead(reader);
    if (reader->lines->depth >= DEPTH_MAX)
        return;
    reader->lines->depth++;
    if (is_mark(&reader->token, '{')) {
        read_table(reader, path);
    } else if (is_name(&reader->token, "include")) {
        next(reader);
        if (is_mark(&reader->token, '('))
            next(reader);
        if (reader->token.kind == TOKEN_STRING)
            read_included(reader, reader->token.text, path);
    } else if (reader->token.kind == TOKEN_NAME &&
               (ahead.kind == TOKEN_END || is_mark(&ahead, ',') || is_mark(&ahead, ';') ||
                is_mark(&ahead, '}'))) {
        note_alias(reader, reader->token.text, path);
    }
    reader->lines->depth--;
}

/* `a.b.c =`: gives «$a.b.c» and stops at the value; else NULL, and at least one token is passed. */
static char *read_assignment(struct reader *reader)
{
    struct buf path = {0};
    buf_printf(&path, "$%.*s", (int)reader->token.text.len, reader->token.text.data);
    next(reader);
    while (is_mark(&reader->token, '.') && look_ahead(reader).kind == TOKEN_NAME) {
        next(reader);
        buf_printf(&path, ".%.*s", (int)reader->token.text.len, reader->token.text.data);
        next(reader);
    }
    if (!is_mark(&reader->token, '=')) {
        buf_free(&path);
        return NULL;
    }
    next(reader);
    buf_cstr(&path);
    return path.data;
}

static void read_statements(struct reader *reader)
{
    while (reader->token.kind != TOKEN_END) {
        int line = reader->token.line;
        if (is_name(&reader->token, "return")) {
            next(reader);
            note(reader, reader->prefix, line, 0);
            read_value(reader, reader->prefix);
        } else if (reader->token.kind == TOKEN_NAME && !is_name(&reader->token, "local")) {
            char *path = read_assignment(reader);
            if (path) {
                note(reader, path, line, 0);
                read_value(reader, path);
            }
            free(path);
        } else {
            next(reader);
        }
    }
}

void conf_lines_add(struct conf_lines *lines, const struct conf_chunk *chunk, const char *prefix,
                    struct conf_problems *problems)
{
    struct reader reader = {
        .lines = lines,
        .chunk = chunk,
        .problems = problems,
        .prefix = prefix,
        .at = chunk->source.data,
        .end = chunk->source.data + chunk->source.len,
        .line = 1,
    };
    next(&reader);
    read_statements(&reader);
}

/* ---- the list ---- */

struct conf_lines *conf_lines_new(void)
{
    return mem_new(struct conf_lines);
}

void conf_lines_free(struct conf_lines *lines)
{
    for (unsigned i = 0; i < lines->count; i++) {
        free(lines->list[i].path);
        free(lines->list[i].file);
    }
    free(lines->list);
    free(lines);
}

static const struct conf_line *find_exactly(const struct conf_lines *lines, struct slice path)
{
    for (unsigned i = lines->count; i > 0; i--) /* the last one wins, as in Lua */
        if (slice_eq(slice_cstr(lines->list[i - 1].path), path))
            return &lines->list[i - 1];
    return NULL;
}

const struct conf_line *conf_lines_find(const struct conf_lines *lines, const char *path)
{
    struct slice left = slice_cstr(path);
    for (;;) {
        const struct conf_line *line = find_exactly(lines, left);
        if (line || left.len == 0)
            return line;
        while (left.len > 0 && left.data[left.len - 1] != '.')
            left.len--;
        if (left.len > 0)
            left.len--;
    }
}

unsigned conf_lines_count(const struct conf_lines *lines)
{
    return lines->count;
}

const struct conf_line *conf_lines_at(const struct conf_lines *lines, unsigned index)
{
    return &lines->list[index];
}
