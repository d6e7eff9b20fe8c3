/* encoding.c: hex and base64 of crypto.h. Decoding is strict, so that one value has one spelling: a
 * token or a signature cannot be varied without breaking it. */
#include "base/crypto.h"

#include <stdint.h>

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void encode_hex(struct slice data, struct buf *out)
{
    static const char digits[] = "0123456789abcdef";
    char *next = buf_reserve(out, 2 * data.len);
    for (size_t i = 0; i < data.len; i++) {
        uint8_t byte = (uint8_t)data.data[i];
        *next++ = digits[byte >> 4];
        *next++ = digits[byte & 15];
    }
    out->len += 2 * data.len;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool decode_hex(struct slice text, struct buf *out)
{
    if (text.len % 2 != 0)
        return false;
    char *next = buf_reserve(out, text.len / 2);
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_value(text.data[i]), low = hex_value(text.data[i + 1]);
        if (high < 0 || low < 0)
            return false;
        *next++ = (char)(high << 4 | low);
    }
    out->len += text.len / 2;
    return true;
}

static uint32_t byte_at(struct slice data, size_t index)
{
    return index < data.len ? (uint8_t)data.data[index] : 0;
}

/* Three bytes become four digits; a rest of one or two bytes two or three. */
static void encode_64(struct slice data, const char *digits, bool padded, struct buf *out)
{
    char *start = buf_reserve(out, (data.len + 2) / 3 * 4), *next = start;
    for (size_t i = 0; i < data.len; i += 3) {
        size_t count = data.len - i < 3 ? data.len - i : 3;
        uint32_t bits = byte_at(data, i) << 16 | byte_at(data, i + 1) << 8 | byte_at(data, i + 2);
        for (unsigned digit = 0; digit < 4; digit++) {
            if (digit <= count)
                *next++ = digits[bits >> (18 - 6 * digit) & 63];
            else if (padded)
                *next++ = '=';
        }
    }
    out->len += (size_t)(next - start);
}

static int digit_value(char c, const char *digits)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == digits[62])
        return 62;
    return c == digits[63] ? 63 : -1;
}

/* `text` is without padding. */
static bool decode_64(struct slice text, const char *digits, struct buf *out)
{
    uint32_t bits = 0;
    unsigned held = 0;

    if (text.len % 4 == 1)
        return false;
    char *start = buf_reserve(out, text.len / 4 * 3 + 2), *next = start;
    for (size_t i = 0; i < text.len; i++) {
        int value = digit_value(text.data[i], digits);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *next++ = (char)(bits >> held & 255);
        }
    }
    if ((bits & ((1u << held) - 1)) != 0)
        return false;
    out->len += (size_t)(next - start);
    return true;
}

void encode_base64(struct slice data, struct buf *out)
{
    encode_64(data, standard, true, out);
}

void encode_base64url(struct slice data, struct buf *out)
{
    encode_64(data, url_safe, false, out);
}

bool decode_base64(struct slice text, struct buf *out)
{
    if (text.len % 4 != 0)
        return false;
    for (unsigned padding = 0; padding < 2 && text.len > 0; padding++)
        text.len -= text.data[text.len - 1] == '=';
    return decode_64(text, standard, out);
}

bool decode_base64url(struct slice text, struct buf *out)
{
    return decode_64(text, url_safe, out);
}
