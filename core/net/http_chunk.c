/* http_chunk.c: see http_chunk.h. One state per place where a byte may stand. */
#include "net/http_chunk.h"
#include "net/http_parse.h"

enum state {
    SIZE,
    EXTENSION,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    FAILED,
    ENDED,
};

enum { SIZE_DIGITS_MAX = 15 };

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum state after_size_byte(struct http_chunk *chunk, char c)
{
    int digit = hex_value(c);
    if (digit >= 0) {
        chunk->left = chunk->left << 4 | (unsigned)digit;
        return ++chunk->digits > SIZE_DIGITS_MAX ? FAILED : SIZE;
    }
    if (chunk->digits == 0)
        return FAILED;
    return c == '\r' ? SIZE_LF : c == ';' ? EXTENSION : FAILED;
}

static enum state after_size_line(struct http_chunk *chunk)
{
    chunk->digits = 0;
    return chunk->left ? DATA : TRAILER_START;
}

static bool may_stand(struct slice byte)
{
    return http_is_field_value(byte);
}

/* The next state for one byte outside of chunk data. */
static enum state step(struct http_chunk *chunk, const char *at)
{
    struct slice byte = {at, 1};
    switch ((enum state)chunk->state) {
    case SIZE:
        return after_size_byte(chunk, *at);
    case EXTENSION:
        return *at == '\r' ? SIZE_LF : may_stand(byte) ? EXTENSION : FAILED;
    case SIZE_LF:
        return *at == '\n' ? after_size_line(chunk) : FAILED;
    case DATA_CR:
        return *at == '\r' ? DATA_LF : FAILED;
    case DATA_LF:
        return *at == '\n' ? SIZE : FAILED;
    case TRAILER_START:
        return *at == '\r' ? END_LF : http_is_token(byte) ? TRAILER_NAME : FAILED;
    case TRAILER_NAME:
        return *at == ':' ? TRAILER_VALUE : http_is_token(byte) ? TRAILER_NAME : FAILED;
    case TRAILER_VALUE:
        return *at == '\r' ? TRAILER_LF : may_stand(byte) ? TRAILER_VALUE : FAILED;
    case TRAILER_LF:
        return *at == '\n' ? TRAILER_START : FAILED;
    case END_LF:
        return *at == '\n' ? ENDED : FAILED;
    case DATA:
    case FAILED:
    case ENDED:
        break;
    }
    return FAILED;
}

static bool is_aside(int state)
{
    return state == EXTENSION || state == TRAILER_NAME || state == TRAILER_VALUE;
}

static struct slice take_data(struct http_chunk *chunk, struct slice data)
{
    size_t len = data.len < chunk->left ? data.len : (size_t)chunk->left;
    chunk->left -= len;
    if (chunk->left == 0)
        chunk->state = DATA_CR;
    return slice_of(data.data, len);
}

enum http_chunk_result http_chunk_next(struct http_chunk *chunk, struct slice data,
                                       size_t max_aside, size_t *used, struct slice *piece)
{
    *piece = (struct slice){NULL, 0};
    for (size_t i = 0; i < data.len; i++) {
        if (chunk->state == DATA) {
            *piece = take_data(chunk, slice_from(data, i));
            *used = i + piece->len;
            return HTTP_CHUNK_PIECE;
        }
        chunk->state = (int)step(chunk, data.data + i);
        *used = i + 1;
        if (chunk->state == FAILED)
            return HTTP_CHUNK_BAD;
        if (chunk->state == ENDED)
            return HTTP_CHUNK_END;
        if (is_aside(chunk->state) && ++chunk->aside > max_aside)
            return HTTP_CHUNK_TOO_BIG;
    }
    *used = data.len;
    return HTTP_CHUNK_MORE;
}
