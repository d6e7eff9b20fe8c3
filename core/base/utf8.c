/* utf8.c: see utf8.h. The ranges are table 3-7 of the Unicode standard. */
#include "base/utf8.h"

static bool is_between(unsigned char c, unsigned char least, unsigned char most)
{
    return c >= least && c <= most;
}

static bool is_tail(const char *data)
{
    return is_between((unsigned char)*data, 0x80, 0xbf);
}

unsigned utf8_sequence(const char *data, size_t len)
{
    unsigned char first = len > 0 ? (unsigned char)data[0] : 0xff;
    unsigned char second = len > 1 ? (unsigned char)data[1] : 0;

    if (first < 0x80)
        return 1;
    if (is_between(first, 0xc2, 0xdf))
        return len > 1 && is_tail(data + 1) ? 2 : 0;
    if (is_between(first, 0xe0, 0xef)) {
        unsigned char least = first == 0xe0 ? 0xa0 : 0x80, most = first == 0xed ? 0x9f : 0xbf;
        return len > 2 && is_between(second, least, most) && is_tail(data + 2) ? 3 : 0;
    }
    if (is_between(first, 0xf0, 0xf4)) {
        unsigned char least = first == 0xf0 ? 0x90 : 0x80, most = first == 0xf4 ? 0x8f : 0xbf;
        return len > 3 && is_between(second, least, most) && is_tail(data + 2) && is_tail(data + 3)
                   ? 4
                   : 0;
    }
    return 0;
}

bool utf8_is_valid(struct slice text)
{
    size_t at = 0;
    while (at < text.len) {
        unsigned size = utf8_sequence(text.data + at, text.len - at);
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}
