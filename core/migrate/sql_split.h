/* sql_split.h: a SQL file as single statements, so that each can run by itself and a failure names its line. */
#pragma once

#include "base/slice.h"

struct sql_cursor {
    struct slice file;
    size_t at;
};

struct sql_statement {
    struct slice text; /* from its first word, without the semicolon */
    struct slice word; /* the first word */
    size_t offset;     /* of text in the file */
};

/* False at the end of the file. Quotes, dollar quotes, comments, parentheses and BEGIN ATOMIC bodies keep their
 * semicolons. */
bool sql_next(struct sql_cursor *cursor, struct sql_statement *out);
/* The line of a byte, from 1. */
unsigned sql_line(struct slice file, size_t offset);
/* The byte of a character, both from 0: the server counts characters. */
size_t sql_byte_of(struct slice text, size_t character);
