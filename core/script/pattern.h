/* pattern.h: string.find, match, gmatch and gsub, the same as Lua's to the letter of their errors, but for one thing: the
 * watchdog can stop them. A pattern like ("a?"):rep(28) .. ("a"):rep(28) tries longer than the sun will shine. */
#pragma once

#include <lua.h>
#include <stddef.h>

enum { PATTERN_CAPTURES_MAX = 32 };

struct pattern_capture {
    const char *start;
    ptrdiff_t len; /* or what pattern.c writes: it is open, or a position */
};

/* One attempt after the other on one subject. */
struct pattern_match {
    lua_State *L;
    const char *begin, *end; /* the subject; a NUL follows it */
    int caller;              /* the level whose line errors name: 1 is who called C */
    int level;               /* captures so far */
    int depth;
    size_t work; /* since the watchdog was last let in */
    struct pattern_capture captures[PATTERN_CAPTURES_MAX];
};

/* Where a match of `pattern` beginning at `at` ends; NULL when there is none. Raises on a malformed pattern. */
const char *pattern_try(struct pattern_match *match, const char *at, const char *pattern);

/* Push capture `index`, from 0; without captures 0 is the whole match, from `start` to `end`. */
void pattern_push_capture(struct pattern_match *match, int index, const char *start,
                          const char *end);
/* Push all of them, or the whole match when there are none and `start` is given. Gives their number. */
int pattern_push_captures(struct pattern_match *match, const char *start, const char *end);

/* Once a process, before the first match. */
void pattern_prepare(void);

/* The functions, for long_call.lua. Instead of gmatch: next_match(subject, pattern, offset) gives the offset to go on at and the
 * captures, or nothing. */
int pattern_find(lua_State *L);
int pattern_match(lua_State *L);
int pattern_next_match(lua_State *L);
int pattern_gsub(lua_State *L);
