/* conf_parse.c: one value from text (a default, the environment), checked against its key. */
#include "base/cidr.h"
#include "base/conf_parts.h"
#include "base/crypto.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { GOT_MAX_BYTES = 60, UNIX_PATH_MAX_BYTES = 107 };

/* ---- refusing ---- */

static void say_integer(const struct conf_key *key, struct buf *out)
{
    buf_append_slice(out, SLICE("an integer"));
    if (key->max > key->min && key->min != INT64_MIN)
        buf_printf(out, " from %" PRId64 " to %" PRId64, key->min, key->max);
    if (key->unit)
        buf_printf(out, " (%s)", key->unit);
}

static void say_choice(struct slice choices, struct buf *out)
{
    buf_append_slice(out, SLICE("one of "));
    for (size_t i = 0; i < choices.len; i++)
        if (choices.data[i] == '|')
            buf_append_slice(out, SLICE(", "));
        else
            buf_append_char(out, choices.data[i]);
}

static void say_string(const struct conf_key *key, struct buf *out)
{
    if (key->one_of)
        say_choice(slice_cstr(key->one_of), out);
    else if (key->min_bytes)
        buf_printf(out, "text of at least %u bytes", key->min_bytes);
    else
        buf_append_slice(out, SLICE("text on one line"));
}

void conf_parse_expected(const struct conf_key *key, struct buf *out)
{
    static const char *const words[] = {
        [CONF_TYPE_BOOLEAN] = "on or off",
        [CONF_TYPE_LISTEN_LIST] =
            "addresses like 127.0.0.1:8080, [::]:80, unix:PATH or ssl:ADDR:PORT",
        [CONF_TYPE_CIDR_LIST] = "networks like 10.0.0.0/8, ::1",
        [CONF_TYPE_INTEGER_LIST] = "a list of integers",
        [CONF_TYPE_BASE64_32] = "base64 of 32 bytes, or several with commas",
        [CONF_TYPE_TABLE] = "a table of names, numbers, texts, switches and tables",
    };
    if (key->type == CONF_TYPE_INTEGER)
        say_integer(key, out);
    else if (key->type == CONF_TYPE_STRING)
        say_string(key, out);
    else if (key->type == CONF_TYPE_LIST && key->min_bytes)
        buf_printf(out, "a list of texts of at least %u bytes each", key->min_bytes);
    else if (key->type == CONF_TYPE_LIST)
        buf_append_slice(out, SLICE("a list of texts"));
    else if (key->type == CONF_TYPE_URL) {
        say_choice(slice_cstr(key->schemes), out);
        buf_append_slice(out, SLICE(" followed by ://…"));
    } else
        buf_append_slice(out, slice_cstr(words[key->type]));
}

static void say_text(const struct conf_key *key, struct slice text, struct buf *out)
{
    if (key->secret || key->credentials)
        buf_printf(out, "%zu bytes, not shown", text.len);
    else if (text.len > GOT_MAX_BYTES)
        buf_printf(out, "\"%.*s…\"", GOT_MAX_BYTES, text.data);
    else
        buf_printf(out, "\"%.*s\"", (int)text.len, text.data);
}

static bool refuse(const struct conf_key *key, const char *message, struct slice got,
                   struct buf *why)
{
    buf_printf(why, "%s (expected ", message);
    conf_parse_expected(key, why);
    buf_append_slice(why, SLICE(", got "));
    say_text(key, got, why);
    buf_append_char(why, ')');
    return false;
}

/* ---- single values ---- */

static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7F)
            return true;
    return false;
}

/* Is `word` one of "a|b|c"? */
static bool is_among(struct slice choices, struct slice word)
{
    while (choices.len > 0)
        if (slice_eq(slice_cut(&choices, '|'), word))
            return true;
    return false;
}

static bool parse_string(const struct conf_key *key, struct slice text, struct conf_value *out,
                         struct buf *why)
{
    if (has_control(text))
        return refuse(key, "holds a control character", text, why);
    if (key->one_of && !is_among(slice_cstr(key->one_of), text))
        return refuse(key, "is not a known value", text, why);
    if (text.len < key->min_bytes)
        return refuse(key, "is too short", text, why);
    *out = conf_value_text(text);
    return true;
}

static bool to_integer(struct slice text, int64_t *out)
{
    char copy[24];
    char *end;
    if (text.len == 0 || text.len >= sizeof copy || text.data[0] == '+' || text.data[0] == ' ')
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    errno = 0;
    long long number = strtoll(copy, &end, 10);
    *out = number;
    return errno == 0 && *end == '\0' && end == copy + text.len;
}

static bool parse_integer(const struct conf_key *key, struct slice text, struct conf_value *out,
                          struct buf *why)
{
    int64_t number;
    if (!to_integer(text, &number))
        return refuse(key, "is not an integer", text, why);
    if (key->max > key->min && (number < key->min || number > key->max))
        return refuse(key, "is out of range", text, why);
    *out = (struct conf_value){.kind = CONF_INTEGER, .integer = number};
    return true;
}

static bool parse_boolean(const struct conf_key *key, struct slice text, struct conf_value *out,
                          struct buf *why)
{
    bool on = is_among(SLICE("on|true|1|yes"), text);
    if (!on && !is_among(SLICE("off|false|0|no"), text))
        return refuse(key, "is not a switch", text, why);
    *out = (struct conf_value){.kind = CONF_FLAG, .integer = on};
    return true;
}

static bool parse_url(const struct conf_key *key, struct slice text, struct conf_value *out,
                      struct buf *why)
{
    const char *colon = memmem(text.data, text.len, "://", 3);
    size_t scheme = colon ? (size_t)(colon - text.data) : 0;
    if (has_control(text) || memchr(text.data, ' ', text.len))
        return refuse(key, "holds a blank or a control character", text, why);
    if (!colon || !is_among(slice_cstr(key->schemes), slice_of(text.data, scheme)))
        return refuse(key, "is not such a URL", text, why);
    if (scheme + 3 == text.len)
        return refuse(key, "names no host", text, why);
    *out = conf_value_text(text);
    return true;
}

/* ---- listeners ---- */

static bool is_port(struct slice text)
{
    int64_t port;
    return to_integer(text, &port) && port >= 0 && port <= 65535;
}

static bool host_is_loopback(struct slice host)
{
    struct cidr_address address;
    if (cidr_address_parse(host, &address))
        return cidr_address_is_loopback(&address);
    return slice_ieq(host, SLICE("localhost"));
}

bool conf_parse_listener(struct slice text, struct conf_listener *out)
{
    *out = (struct conf_listener){0};
    if (slice_starts(text, SLICE("ssl:"))) {
        out->tls = true;
        text = slice_from(text, 4);
    }
    if (slice_starts(text, SLICE("unix:"))) {
        out->is_unix = out->loopback = true;
        return text.len > 5 && text.len - 5 <= UNIX_PATH_MAX_BYTES && !out->tls;
    }
    const char *colon = memrchr(text.data, ':', text.len);
    if (!colon)
        return false;
    struct slice host = slice_of(text.data, (size_t)(colon - text.data));
    bool bracketed = host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
    if (bracketed)
        host = slice_of(host.data + 1, host.len - 2);
    else if (memchr(host.data, ':', host.len))
        return false;
    out->loopback = host_is_loopback(host);
    return host.len > 0 && is_port(slice_from(text, (size_t)(colon + 1 - text.data)));
}

/* ---- lists ---- */

void conf_slices_add(struct conf_slices *slices, struct slice text)
{
    slices->list = mem_realloc(slices->list, (slices->count + 1) * sizeof *slices->list);
    slices->list[slices->count++] = text;
}

/* A comma list; blanks around items and empty items do not count. */
static void slices_split(struct conf_slices *slices, struct slice text)
{
    while (text.len > 0) {
        struct slice item = slice_cut(&text, ',');
        while (item.len > 0 && item.data[0] == ' ')
            item = slice_from(item, 1);
        while (item.len > 0 && item.data[item.len - 1] == ' ')
            item.len--;
        if (item.len > 0)
            conf_slices_add(slices, item);
    }
}

static bool parse_key_item(const struct conf_key *key, struct slice item, struct conf_value *list,
                           struct buf *why)
{
    struct buf raw = {0};
    bool good = decode_base64(item, &raw) && raw.len == 32;
    if (good)
        *conf_value_append(list, NULL) = conf_value_text(buf_slice(&raw));
    buf_free(&raw);
    return good || refuse(key, "is not a key", item, why);
}

static bool parse_item(const struct conf_key *key, struct slice item, struct conf_value *list,
                       struct buf *why)
{
    struct conf_value value;
    if (key->type == CONF_TYPE_BASE64_32)
        return parse_key_item(key, item, list, why);
    bool good = key->type == CONF_TYPE_INTEGER_LIST ? parse_integer(key, item, &value, why)
                                                    : parse_string(key, item, &value, why);
    if (good)
        *conf_value_append(list, NULL) = value;
    return good;
}

static bool parse_items(const struct conf_key *key, const struct conf_slices *items,
                        struct conf_value *out, struct buf *why)
{
    struct conf_value list = {.kind = CONF_ARRAY};
    for (size_t i = 0; i < items->count; i++)
        if (!parse_item(key, items->list[i], &list, why)) {
            conf_value_clear(&list);
            return false;
        }
    *out = list;
    return true;
}

static bool is_any(const struct conf_key *key, const struct conf_slices *items)
{
    return key->allow_any && items->count == 1 && slice_eq(items->list[0], SLICE("*"));
}

static bool is_address_item(const struct conf_key *key, struct slice item)
{
    if (key->type == CONF_TYPE_LISTEN_LIST) {
        struct conf_listener listener;
        return conf_parse_listener(item, &listener);
    }
    struct cidr_list *list = NULL;
    bool good = cidr_list_parse(item, &list, NULL) == R_OK;
    cidr_list_free(list);
    return good;
}

/* Addresses stay a comma list of text: that is what the network floor reads. */
static bool parse_addresses(const struct conf_key *key, const struct conf_slices *items,
                            struct conf_value *out, struct buf *why)
{
    struct buf joined = {0};
    for (size_t i = 0; i < items->count; i++) {
        if (!is_any(key, items) && !is_address_item(key, items->list[i])) {
            buf_free(&joined);
            return refuse(key, "has a wrong address", items->list[i], why);
        }
        buf_printf(&joined, "%s%.*s", i ? "," : "", (int)items->list[i].len, items->list[i].data);
    }
    *out = conf_value_text(buf_slice(&joined));
    buf_free(&joined);
    return true;
}

bool conf_parse_items(const struct conf_key *key, const struct conf_slices *items,
                      struct conf_value *out, struct buf *why)
{
    bool addresses = key->type == CONF_TYPE_LISTEN_LIST || key->type == CONF_TYPE_CIDR_LIST;
    return (addresses ? parse_addresses : parse_items)(key, items, out, why);
}

static bool parse_list_text(const struct conf_key *key, struct slice text, struct conf_value *out,
                            struct buf *why)
{
    struct conf_slices items = {0};
    slices_split(&items, text);
    bool good = conf_parse_items(key, &items, out, why);
    free(items.list);
    return good;
}

static bool parse_no_text(const struct conf_key *key, struct slice text, struct conf_value *out,
                          struct buf *why)
{
    (void)out;
    return refuse(key, "is not a table", text, why);
}

/* ---- entry points ---- */

typedef bool parser(const struct conf_key *key, struct slice text, struct conf_value *out,
                    struct buf *why);

static parser *const parsers[] = {
    [CONF_TYPE_STRING] = parse_string,         [CONF_TYPE_INTEGER] = parse_integer,
    [CONF_TYPE_BOOLEAN] = parse_boolean,       [CONF_TYPE_URL] = parse_url,
    [CONF_TYPE_LISTEN_LIST] = parse_list_text, [CONF_TYPE_CIDR_LIST] = parse_list_text,
    [CONF_TYPE_LIST] = parse_list_text,        [CONF_TYPE_INTEGER_LIST] = parse_list_text,
    [CONF_TYPE_BASE64_32] = parse_list_text,   [CONF_TYPE_TABLE] = parse_no_text,
};

/* What an empty text means: nothing at all, or a list without items. */
static struct conf_value empty_value(const struct conf_key *key)
{
    static const enum conf_kind kinds[] = {
        [CONF_TYPE_CIDR_LIST] = CONF_TEXT,
        [CONF_TYPE_LIST] = CONF_ARRAY,
        [CONF_TYPE_INTEGER_LIST] = CONF_ARRAY,
        [CONF_TYPE_TABLE] = CONF_MAP,
    };
    enum conf_kind kind = key->type <= CONF_TYPE_TABLE ? kinds[key->type] : CONF_UNSET;
    if (kind == CONF_ARRAY && key->min_bytes > 0)
        kind = CONF_UNSET; /* a list of secrets without any is no list */
    return kind == CONF_TEXT ? conf_value_text(SLICE("")) : (struct conf_value){.kind = kind};
}

bool conf_parse_text(const struct conf_key *key, struct slice text, struct conf_value *out,
                     struct buf *why)
{
    if (text.len == 0) {
        *out = empty_value(key);
        return true;
    }
    return parsers[key->type](key, text, out, why);
}
