/* sql_split.c: see sql_split.h. */
#include "migrate/sql_split.h"

#include <ctype.h>

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static char byte_at(struct slice s, size_t at)
{
    return at < s.len ? s.data[at] : '\0';
}

static bool has(struct slice s, size_t at, struct slice what)
{
    return at <= s.len && slice_starts(slice_from(s, at), what);
}

static size_t skip_line(struct slice s, size_t at)
{
    while (at < s.len && s.data[at] != '\n')
        at++;
    return at;
}

static size_t skip_comment(struct slice s, size_t at) /* they nest */
{
    unsigned depth = 0;
    while (at < s.len) {
        if (has(s, at, SLICE("/*"))) {
            depth++;
            at += 2;
        } else if (has(s, at, SLICE("*/"))) {
            at += 2;
            if (--depth == 0)
                return at;
        } else {
            at++;
        }
    }
    return at;
}

/* A doubled quote reads as two strings side by side, which ends at the same place. */
static size_t skip_quoted(struct slice s, size_t at, bool backslashes)
{
    char quote = s.data[at++];
    while (at < s.len && s.data[at] != quote)
        at += backslashes && s.data[at] == '\\' ? 2 : 1;
    return at < s.len ? at + 1 : s.len;
}

/* E'…' */
static bool has_backslashes(struct slice s, size_t at)
{
    return at > 0 && tolower((unsigned char)s.data[at - 1]) == 'e' &&
           (at == 1 || !is_word_byte(s.data[at - 2]));
}

static size_t skip_dollar(struct slice s, size_t at)
{
    size_t end = at + 1;
    if (isdigit((unsigned char)byte_at(s, end)))
        return end; /* $1 */
    while (is_word_byte(byte_at(s, end)))
        end++;
    if (byte_at(s, end) != '$')
        return at + 1;
    struct slice tag = {s.data + at, end + 1 - at};
    for (at = end + 1; at < s.len; at++)
        if (has(s, at, tag))
            return at + tag.len;
    return s.len;
}

static size_t skip_word(struct slice s, size_t at)
{
    while (is_word_byte(byte_at(s, at)) || byte_at(s, at) == '$')
        at++;
    return at;
}

/* Behind the token at `at`, whatever it is. */
static size_t skip_token(struct slice s, size_t at)
{
    char c = s.data[at];
    if (has(s, at, SLICE("--")))
        return skip_line(s, at);
    if (has(s, at, SLICE("/*")))
        return skip_comment(s, at);
    if (c == '\'')
        return skip_quoted(s, at, has_backslashes(s, at));
    if (c == '"')
        return skip_quoted(s, at, false);
    if (c == '$')
        return skip_dollar(s, at);
    return is_word_byte(c) ? skip_word(s, at) : at + 1;
}

static size_t skip_blank(struct slice s, size_t at)
{
    while (at < s.len) {
        if (has(s, at, SLICE("--")) || has(s, at, SLICE("/*")))
            at = skip_token(s, at);
        else if (isspace((unsigned char)s.data[at]) || s.data[at] == ';')
            at++;
        else
            break;
    }
    return at;
}

/* How deep we are inside of what keeps its semicolons. */
struct nesting {
    int parentheses, blocks;
    struct slice last_word;
};

static void enter_token(struct nesting *nesting, struct slice token)
{
    if (token.data[0] == '(')
        nesting->parentheses++;
    else if (token.data[0] == ')')
        nesting->parentheses--;
    if (!is_word_byte(token.data[0]))
        return;
    bool opens = nesting->blocks > 0 ? slice_ieq(token, SLICE("case"))
                                     : slice_ieq(token, SLICE("atomic")) &&
                                           slice_ieq(nesting->last_word, SLICE("begin"));
    if (opens)
        nesting->blocks++;
    else if (nesting->blocks > 0 && slice_ieq(token, SLICE("end")))
        nesting->blocks--;
    nesting->last_word = token;
}

bool sql_next(struct sql_cursor *cursor, struct sql_statement *out)
{
    struct slice s = cursor->file;
    size_t start = skip_blank(s, cursor->at), at = start, end = start;
    struct nesting nesting = {0};
    while (at < s.len && (s.data[at] != ';' || nesting.parentheses > 0 || nesting.blocks > 0)) {
        size_t next = skip_token(s, at);
        enter_token(&nesting, slice_of(s.data + at, next - at));
        if (!isspace((unsigned char)s.data[at]))
            end = next;
        at = next;
    }
    cursor->at = at;
    if (start >= s.len)
        return false;
    out->offset = start;
    out->text = slice_of(s.data + start, end - start);
    out->word = slice_of(s.data + start, skip_word(s, start) - start);
    return true;
}

unsigned sql_line(struct slice file, size_t offset)
{
    unsigned line = 1;
    for (size_t i = 0; i < offset && i < file.len; i++)
        line += file.data[i] == '\n';
    return line;
}

size_t sql_byte_of(struct slice text, size_t character)
{
    size_t at = 0;
    for (; at < text.len; at++) {
        bool starts = ((unsigned char)text.data[at] & 0xc0) != 0x80;
        if (starts && character-- == 0)
            break;
    }
    return at;
}
