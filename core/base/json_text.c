/* json_text.c: see json_text.h. */
#include "base/json_text.h"

#include <stdint.h>

/* Length of the UTF-8 sequence at `p`, 0 when it is damaged, overlong or a surrogate. */
static size_t utf8_length(const uint8_t *p, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80                   ? 1
                 : p[0] >= 0xC2 && p[0] < 0xE0 ? 2
                 : p[0] >= 0xE0 && p[0] < 0xF0 ? 3
                 : p[0] >= 0xF0 && p[0] < 0xF5 ? 4
                                               : 0;
    if (len <= 1 || len > left)
        return len == 1 ? 1 : 0;
    uint32_t code = p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3Fu);
    }
    bool surrogate = code >= 0xD800 && code < 0xE000;
    return code < least[len] || code > 0x10FFFF || surrogate ? 0 : len;
}

static void append_special(struct buf *out, uint8_t c)
{
    static const char shorts[256] = {
        ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['"'] = '"', ['\\'] = '\\'};
    if (shorts[c])
        buf_printf(out, "\\%c", shorts[c]);
    else
        buf_printf(out, "\\u%04x", c);
}

void json_text_append(struct buf *out, struct slice text)
{
    const uint8_t *p = (const uint8_t *)text.data;
    buf_append_char(out, '"');
    for (size_t i = 0; i < text.len;) {
        size_t len = utf8_length(p + i, text.len - i);
        if (len == 0)
            buf_append(out, "\xEF\xBF\xBD", 3);
        else if (p[i] < 0x20 || p[i] == '"' || p[i] == '\\' || p[i] == 0x7F)
            append_special(out, p[i]);
        else
            buf_append(out, p + i, len);
        i += len ? len : 1;
    }
    buf_append_char(out, '"');
}
