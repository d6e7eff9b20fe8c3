/* json.c: see json.h. One recursive scanner checks; the finders then trust the text. */
#include "json.h"
#include "base/json_text.h"

#include <stdlib.h>

enum { MAX_DEPTH = 64 };

struct scan {
    const char *at, *end;
};

static bool scan_value(struct scan *scan, unsigned depth);

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && strchr(" \t\r\n", *scan->at) && *scan->at)
        scan->at++;
}

static bool take(struct scan *scan, char c)
{
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

static bool scan_word(struct scan *scan, struct slice word)
{
    if (!slice_starts(slice_of(scan->at, (size_t)(scan->end - scan->at)), word))
        return false;
    scan->at += word.len;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hex digits; negative when they are not there. */
static int scan_unit(struct scan *scan)
{
    int unit = 0;
    if (scan->end - scan->at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(*scan->at++);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static bool scan_escape(struct scan *scan)
{
    if (scan->at == scan->end)
        return false;
    char c = *scan->at++;
    if (c == 'u')
        return scan_unit(scan) >= 0;
    return c && strchr("\"\\/bfnrt", c);
}

static bool scan_string(struct scan *scan)
{
    if (!take(scan, '"'))
        return false;
    while (scan->at < scan->end) {
        char c = *scan->at++;
        if (c == '"')
            return true;
        if ((unsigned char)c < 0x20 || (c == '\\' && !scan_escape(scan)))
            return false;
    }
    return false;
}

static bool scan_digits(struct scan *scan)
{
    const char *from = scan->at;
    while (scan->at < scan->end && is_digit(*scan->at))
        scan->at++;
    return scan->at > from;
}

static bool scan_number(struct scan *scan)
{
    if (scan->at < scan->end && *scan->at == '-')
        scan->at++;
    bool zero = scan->at < scan->end && *scan->at == '0';
    const char *from = scan->at;
    if (!scan_digits(scan) || (zero && scan->at - from > 1))
        return false;
    if (scan->at < scan->end && *scan->at == '.') {
        scan->at++;
        if (!scan_digits(scan))
            return false;
    }
    if (scan->at < scan->end && (*scan->at | 0x20) == 'e') {
        scan->at++;
        if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-'))
            scan->at++;
        return scan_digits(scan);
    }
    return true;
}

/* What stands between the brackets: items, or members when `close` is a brace. */
static bool scan_members(struct scan *scan, char close, unsigned depth)
{
    if (take(scan, close))
        return true;
    do {
        if (close == '}' && (!scan_string(scan) || !take(scan, ':')))
            return false;
        if (!scan_value(scan, depth))
            return false;
    } while (take(scan, ','));
    return take(scan, close);
}

static bool scan_value(struct scan *scan, unsigned depth)
{
    skip_space(scan);
    if (scan->at == scan->end || depth == 0)
        return false;
    switch (*scan->at) {
    case '{':
        scan->at++;
        return scan_members(scan, '}', depth - 1);
    case '[':
        scan->at++;
        return scan_members(scan, ']', depth - 1);
    case '"':
        return scan_string(scan);
    case 't':
        return scan_word(scan, SLICE("true"));
    case 'f':
        return scan_word(scan, SLICE("false"));
    case 'n':
        return scan_word(scan, SLICE("null"));
    default:
        return scan_number(scan);
    }
}

static struct scan scan_of(struct slice text)
{
    return (struct scan){text.data, text.data + text.len};
}

bool json_valid(struct slice text)
{
    struct scan scan = scan_of(text);
    if (text.len == 0 || !scan_value(&scan, MAX_DEPTH))
        return false;
    skip_space(&scan);
    return scan.at == scan.end;
}

static bool scan_span(struct scan *scan, struct slice *value)
{
    skip_space(scan);
    const char *from = scan->at;
    if (!scan_value(scan, MAX_DEPTH))
        return false;
    *value = slice_of(from, (size_t)(scan->at - from));
    return true;
}

bool json_find(struct slice object, const char *name, struct slice *value)
{
    struct scan scan = scan_of(object);
    struct slice key;
    bool found = false;

    if (!take(&scan, '{'))
        return false;
    while (!found && scan_span(&scan, &key) && take(&scan, ':') && scan_span(&scan, value)) {
        found = key.len == strlen(name) + 2 && memcmp(key.data + 1, name, key.len - 2) == 0;
        take(&scan, ',');
    }
    return found;
}

bool json_next(struct slice list, size_t *at, struct slice *item)
{
    struct scan scan = scan_of(slice_from(list, *at));
    if (!take(&scan, *at == 0 ? '[' : ',') || !scan_span(&scan, item))
        return false;
    *at = (size_t)(scan.at - list.data);
    return true;
}

static void put_utf8(struct buf *out, unsigned code)
{
    if (code < 0x80) {
        buf_append_char(out, (char)code);
    } else if (code < 0x800) {
        buf_append_char(out, (char)(0xc0 | code >> 6));
        buf_append_char(out, (char)(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
        buf_append_char(out, (char)(0xe0 | code >> 12));
        buf_append_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
        buf_append_char(out, (char)(0x80 | (code & 0x3f)));
    } else {
        buf_append_char(out, (char)(0xf0 | code >> 18));
        buf_append_char(out, (char)(0x80 | (code >> 12 & 0x3f)));
        buf_append_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
        buf_append_char(out, (char)(0x80 | (code & 0x3f)));
    }
}

/* After `\u`: one UTF-16 unit or a pair of them. A lonely half becomes U+FFFD. */
static void put_unicode_escape(struct scan *scan, struct buf *out)
{
    unsigned high = (unsigned)scan_unit(scan), low;

    if (high < 0xd800 || high > 0xdfff) {
        put_utf8(out, high);
        return;
    }
    struct scan ahead = *scan;
    if (high < 0xdc00 && scan_word(&ahead, SLICE("\\u"))) {
        low = (unsigned)scan_unit(&ahead);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *scan = ahead;
            put_utf8(out, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            return;
        }
    }
    put_utf8(out, 0xfffd);
}

bool json_text(struct slice value, struct buf *out)
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    if (value.len < 2 || value.data[0] != '"')
        return false;

    struct scan scan = {value.data + 1, value.data + value.len - 1};
    while (scan.at < scan.end) {
        char c = *scan.at++;
        if (c == '\\') {
            c = *scan.at++;
            const char *letter = strchr(letters, c);
            if (c == 'u') {
                put_unicode_escape(&scan, out);
                continue;
            }
            c = letter ? meanings[letter - letters] : c;
        }
        buf_append_char(out, c);
    }
    return true;
}

bool json_find_text(struct slice object, const char *name, struct buf *out)
{
    struct slice value;
    return json_find(object, name, &value) && json_text(value, out);
}

double json_find_number(struct slice object, const char *name, double fallback)
{
    struct slice value;
    char digits[64];

    if (!json_find(object, name, &value) || value.len >= sizeof digits ||
        !(is_digit(value.data[0]) || value.data[0] == '-'))
        return fallback;
    memcpy(digits, value.data, value.len);
    digits[value.len] = '\0';
    return strtod(digits, NULL);
}

bool json_find_bool(struct slice object, const char *name, bool fallback)
{
    struct slice value;
    if (!json_find(object, name, &value) || (value.data[0] != 't' && value.data[0] != 'f'))
        return fallback;
    return value.data[0] == 't';
}

void json_put_comma(struct buf *out)
{
    char last = out->len ? out->data[out->len - 1] : '[';
    if (last != '{' && last != '[')
        buf_append_char(out, ',');
}

void json_put_name(struct buf *out, const char *name)
{
    json_put_comma(out);
    json_text_append(out, slice_cstr(name));
    buf_append_char(out, ':');
}

void json_put_member(struct buf *out, const char *name, struct slice text)
{
    json_put_name(out, name);
    json_text_append(out, text);
}

void json_put_integer(struct buf *out, const char *name, int64_t value)
{
    json_put_name(out, name);
    buf_printf(out, "%lld", (long long)value);
}

void json_put_bool(struct buf *out, const char *name, bool value)
{
    json_put_name(out, name);
    buf_append_slice(out, value ? SLICE("true") : SLICE("false"));
}

void json_put_lines(struct buf *out, const char *name, struct slice text)
{
    json_put_name(out, name);
    json_text_append_lines(out, text);
}

void json_refuse(struct buf *out, struct slice error, const char *code)
{
    buf_append_slice(out, SLICE("{\"ok\":false"));
    json_put_member(out, "error", error);
    if (code)
        json_put_member(out, "code", slice_cstr(code));
    buf_append_char(out, '}');
}

void json_refuse_sources(struct buf *out, struct slice problems)
{
    buf_append_slice(out, SLICE("{\"ok\":false"));
    json_put_lines(out, "problems", problems);
    buf_append_char(out, '}');
}

long long json_find_integer(struct slice object, const char *name)
{
    return (long long)json_find_number(object, name, 0);
}
