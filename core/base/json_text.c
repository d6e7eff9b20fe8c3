/* json_text.c: see json_text.h. */
#include "base/json_text.h"
#include "base/utf8.h"

#include <stdint.h>

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
        size_t len = utf8_sequence(text.data + i, text.len - i);
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

void json_text_append_lines(struct buf *out, struct slice text)
{
    buf_append_char(out, '[');
    for (bool first = true; text.len > 0; first = false) {
        if (!first)
            buf_append_char(out, ',');
        json_text_append(out, slice_cut(&text, '\n'));
    }
    buf_append_char(out, ']');
}
