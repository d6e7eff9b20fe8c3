/* pattern.c: see pattern.h. The algorithm is that of Lua 5.1 and LuaJIT (lstrlib.c, lib_string.c), which scripts rely on in every
 * corner; tests/unit/script/pattern_compare.lua compares it with them. New is that it counts its work and lets the watchdog in. */
#include "script/pattern.h"
#include "script/long_call.h"

#include <lauxlib.h>
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum {
    DEPTH_MAX = 200,
    WORK_MAX = 4096, /* characters compared between two looks for the watchdog: some microseconds */
    LEN_OPEN = -1,
    LEN_POSITION = -2,
};

static const char *try_here(struct pattern_match *m, const char *s, const char *p);

static void complain(struct pattern_match *m, const char *problem)
{
    luaL_where(m->L, m->caller);
    lua_pushstring(m->L, problem);
    lua_concat(m->L, 2);
    lua_error(m->L);
}

static int byte_at(const char *s)
{
    return (unsigned char)*s;
}

static void let_watchdog_in(struct pattern_match *m)
{
    m->work = 0;
    long_call_check(m->L);
}

static inline void count_work(struct pattern_match *m, ptrdiff_t amount)
{
    m->work += (size_t)amount;
    if (m->work >= WORK_MAX)
        let_watchdog_in(m);
}

/* ---- one character ---- */

/* The end of the single-character item at `p`: a character, a class or a set. */
static const char *item_end(struct pattern_match *m, const char *p)
{
    char first = *p++;
    if (first == '%') {
        if (*p == '\0')
            complain(m, "malformed pattern (ends with '%')");
        return p + 1;
    }
    if (first != '[')
        return p;
    if (*p == '^')
        p++;
    do {
        if (*p == '\0')
            complain(m, "malformed pattern (missing ']')");
        if (*p++ == '%' && *p != '\0')
            p++;
    } while (*p != ']');
    return p + 1;
}

enum trait {
    ALPHA = 1,
    CNTRL = 2,
    DIGIT = 4,
    LOWER = 8,
    PUNCT = 16,
    SPACE = 32,
    UPPER = 64,
    XDIGIT = 128,
};

static unsigned char traits[256];

static const unsigned char classes[32] = {
    ['a' & 31] = ALPHA,         ['c' & 31] = CNTRL,
    ['d' & 31] = DIGIT,         ['g' & 31] = ALPHA | DIGIT | PUNCT,
    ['l' & 31] = LOWER,         ['p' & 31] = PUNCT,
    ['s' & 31] = SPACE,         ['u' & 31] = UPPER,
    ['w' & 31] = ALPHA | DIGIT, ['x' & 31] = XDIGIT,
};

void pattern_prepare(void)
{
    for (int c = 0; c < 256; c++)
        traits[c] = (unsigned char)((isalpha(c) ? ALPHA : 0) | (iscntrl(c) ? CNTRL : 0) |
                                    (isdigit(c) ? DIGIT : 0) | (islower(c) ? LOWER : 0) |
                                    (ispunct(c) ? PUNCT : 0) | (isspace(c) ? SPACE : 0) |
                                    (isupper(c) ? UPPER : 0) | (isxdigit(c) ? XDIGIT : 0));
}

/* An upper-case letter means what the lower-case one does not. */
static inline bool is_of_class(int c, int class)
{
    if ((class & 0xc0) == 0x40) {
        int wanted = classes[class & 31];
        if (wanted)
            return ((traits[c] & wanted) != 0) == ((class & 0x20) != 0);
        if ((class | 0x20) == 'z')
            return (c == 0) == (class == 'z');
    }
    return class == c;
}

/* `p` at the [ of a set, `last` at its ]. */
static bool is_in_set(int c, const char *p, const char *last)
{
    bool found = true;
    if (p[1] == '^') {
        found = false;
        p++;
    }
    while (++p < last) {
        if (*p == '%') {
            p++;
            if (is_of_class(c, byte_at(p)))
                return found;
        } else if (p[1] == '-' && p + 2 < last) {
            p += 2;
            if (byte_at(p - 2) <= c && c <= byte_at(p))
                return found;
        } else if (byte_at(p) == c) {
            return found;
        }
    }
    return !found;
}

/* Does the character at `s` fit the item from `p` to `end`? */
static inline bool fits(struct pattern_match *m, const char *s, const char *p, const char *end)
{
    if (s >= m->end)
        return false;
    count_work(m, end - p);
    switch (*p) {
    case '.':
        return true;
    case '%':
        return is_of_class(byte_at(s), byte_at(p + 1));
    case '[':
        return is_in_set(byte_at(s), p, end - 1);
    default:
        return *p == *s;
    }
}

/* ---- repetitions ---- */

static const char *try_longest_first(struct pattern_match *m, const char *s, const char *p,
                                     const char *end)
{
    ptrdiff_t count = 0;
    while (fits(m, s + count, p, end))
        count++;
    for (; count >= 0; count--) {
        const char *found = try_here(m, s + count, end + 1);
        if (found)
            return found;
    }
    return NULL;
}

static const char *try_shortest_first(struct pattern_match *m, const char *s, const char *p,
                                      const char *end)
{
    for (;; s++) {
        const char *found = try_here(m, s, end + 1);
        if (found || !fits(m, s, p, end))
            return found;
    }
}

/* ---- captures ---- */

static int closed_capture(struct pattern_match *m, int digit)
{
    int index = digit - '1';
    if (index < 0 || index >= m->level || m->captures[index].len == LEN_OPEN)
        complain(m, "invalid capture index");
    return index;
}

static const char *open_capture(struct pattern_match *m, const char *s, const char *p,
                                ptrdiff_t len)
{
    if (m->level >= PATTERN_CAPTURES_MAX)
        complain(m, "too many captures");
    m->captures[m->level++] = (struct pattern_capture){s, len};
    const char *found = try_here(m, s, p);
    if (!found)
        m->level--;
    return found;
}

static const char *close_capture(struct pattern_match *m, const char *s, const char *p)
{
    int index = m->level - 1;
    while (index >= 0 && m->captures[index].len != LEN_OPEN)
        index--;
    if (index < 0)
        complain(m, "invalid pattern capture");
    m->captures[index].len = s - m->captures[index].start;
    const char *found = try_here(m, s, p);
    if (!found)
        m->captures[index].len = LEN_OPEN;
    return found;
}

/* %1: the same text again. The huge size of a position capture fits nowhere. */
static const char *match_again(struct pattern_match *m, const char *s, int digit)
{
    const struct pattern_capture *capture = &m->captures[closed_capture(m, digit)];
    size_t len = (size_t)capture->len;
    if ((size_t)(m->end - s) < len)
        return NULL;
    count_work(m, capture->len / 16);
    return memcmp(capture->start, s, len) == 0 ? s + len : NULL;
}

/* ---- %b and %f ---- */

/* `p` at the two characters of %bxy. */
static const char *match_balanced(struct pattern_match *m, const char *s, const char *p)
{
    int open = 1;
    if (p[0] == '\0' || p[1] == '\0')
        complain(m, "unbalanced pattern");
    if (*s != p[0])
        return NULL;
    while (++s < m->end) {
        count_work(m, 1);
        if (*s == p[1]) {
            if (--open == 0)
                return s + 1;
        } else if (*s == p[0]) {
            open++;
        }
    }
    return NULL;
}

/* `p` at the set of %f[set]. Gives where the pattern goes on, NULL when there is no frontier. */
static const char *pass_frontier(struct pattern_match *m, const char *s, const char *p)
{
    if (*p != '[')
        complain(m, "missing '[' after '%f' in pattern");
    const char *end = item_end(m, p);
    int before = s == m->begin ? '\0' : byte_at(s - 1);
    count_work(m, end - p);
    return !is_in_set(before, p, end - 1) && is_in_set(byte_at(s), p, end - 1) ? end : NULL;
}

/* ---- the pattern ---- */

/* What follows a % that is no class. Moves both on; false: it is a class after all. */
static bool match_special(struct pattern_match *m, const char **s, const char **p)
{
    char what = (*p)[1];
    if (what == 'b') {
        *s = match_balanced(m, *s, *p + 2);
        *p += 4;
    } else if (what == 'f') {
        *p = pass_frontier(m, *s, *p + 2);
        if (!*p)
            *s = NULL;
    } else if (isdigit((unsigned char)what)) {
        *s = match_again(m, *s, what);
        *p += 2;
    } else {
        return false;
    }
    return true;
}

/* The item at `p` and what it is followed by. True: both were moved on, and the pattern goes on there. */
static bool match_item(struct pattern_match *m, const char **s, const char **p)
{
    const char *end = item_end(m, *p), *at = *s, *found;
    switch (*end) {
    case '?':
        found = fits(m, at, *p, end) ? try_here(m, at + 1, end + 1) : NULL;
        if (found) {
            *s = found;
            return false;
        }
        *p = end + 1;
        return true;
    case '*':
        *s = try_longest_first(m, at, *p, end);
        return false;
    case '+':
        *s = fits(m, at, *p, end) ? try_longest_first(m, at + 1, *p, end) : NULL;
        return false;
    case '-':
        *s = try_shortest_first(m, at, *p, end);
        return false;
    default:
        *s = fits(m, at, *p, end) ? at + 1 : NULL;
        *p = end;
        return *s != NULL;
    }
}

static const char *try_all(struct pattern_match *m, const char *s, const char *p)
{
    for (;;) {
        count_work(m, 1);
        if (*p == '\0')
            return s;
        if (*p == '(')
            return p[1] == ')' ? open_capture(m, s, p + 2, LEN_POSITION)
                               : open_capture(m, s, p + 1, LEN_OPEN);
        if (*p == ')')
            return close_capture(m, s, p + 1);
        if (*p == '$' && p[1] == '\0')
            return s == m->end ? s : NULL;
        if (*p == '%' && match_special(m, &s, &p)) {
            if (!s)
                return NULL;
        } else if (!match_item(m, &s, &p)) {
            return s;
        }
    }
}

static const char *try_here(struct pattern_match *m, const char *s, const char *p)
{
    if (++m->depth > DEPTH_MAX)
        complain(m, "pattern too complex");
    s = try_all(m, s, p);
    m->depth--;
    return s;
}

const char *pattern_try(struct pattern_match *match, const char *at, const char *pattern)
{
    match->level = match->depth = 0;
    return try_here(match, at, pattern);
}

/* ---- what was captured ---- */

void pattern_push_capture(struct pattern_match *match, int index, const char *start,
                          const char *end)
{
    const struct pattern_capture *capture = &match->captures[index];
    if (index >= match->level) {
        if (index != 0)
            complain(match, "invalid capture index");
        lua_pushlstring(match->L, start, (size_t)(end - start));
    } else if (capture->len == LEN_POSITION) {
        lua_pushinteger(match->L, capture->start - match->begin + 1);
    } else if (capture->len == LEN_OPEN) {
        complain(match, "unfinished capture");
    } else {
        lua_pushlstring(match->L, capture->start, (size_t)capture->len);
    }
}

int pattern_push_captures(struct pattern_match *match, const char *start, const char *end)
{
    int count = match->level == 0 && start ? 1 : match->level;
    luaL_checkstack(match->L, count, "too many captures");
    for (int i = 0; i < count; i++)
        pattern_push_capture(match, i, start, end);
    return count;
}
