/* http_parse.c: see http_parse.h. The only includer of llhttp. */
#include "net/http_parse.h"

#include <llhttp.h>

enum { TOKEN = 1, VALUE = 2, TARGET = 4, METHOD_LEN_MAX = 32, VERSION_LEN = 8 };

/* Which bytes may stand where. Bytes above 0x7f are let through in targets and values, as browsers
 * and curl send them; a token is ASCII. */
static const uint8_t classes[256] = {
    ['\t'] = VALUE,
    [' '] = VALUE,
    ['!'] = TOKEN | VALUE | TARGET,
    ['"'] = VALUE | TARGET,
    ['#'] = TOKEN | VALUE,
    ['$' ... '\''] = TOKEN | VALUE | TARGET,
    ['(' ... ')'] = VALUE | TARGET,
    ['*' ... '+'] = TOKEN | VALUE | TARGET,
    [','] = VALUE | TARGET,
    ['-' ... '.'] = TOKEN | VALUE | TARGET,
    ['/'] = VALUE | TARGET,
    ['0' ... '9'] = TOKEN | VALUE | TARGET,
    [':' ... '@'] = VALUE | TARGET,
    ['A' ... 'Z'] = TOKEN | VALUE | TARGET,
    ['[' ... ']'] = VALUE | TARGET,
    ['^' ... 'z'] = TOKEN | VALUE | TARGET,
    ['{'] = VALUE | TARGET,
    ['|'] = TOKEN | VALUE | TARGET,
    ['}'] = VALUE | TARGET,
    ['~'] = TOKEN | VALUE | TARGET,
    [0x80 ... 0xff] = VALUE | TARGET,
};

/* Sorted by length. */
static const struct {
    struct slice name;
    enum http_known which;
} known_headers[] = {
    {{"host", 4}, HTTP_HOST},
    {{"range", 5}, HTTP_RANGE},
    {{"accept", 6}, HTTP_ACCEPT},
    {{"expect", 6}, HTTP_EXPECT},
    {{"if-range", 8}, HTTP_IF_RANGE},
    {{"forwarded", 9}, HTTP_FORWARDED},
    {{"x-real-ip", 9}, HTTP_X_REAL_IP},
    {{"hx-request", 10}, HTTP_HX_REQUEST},
    {{"x-request-id", 12}, HTTP_X_REQUEST_ID},
    {{"if-none-match", 13}, HTTP_IF_NONE_MATCH},
    {{"content-length", 14}, HTTP_CONTENT_LENGTH},
    {{"accept-encoding", 15}, HTTP_ACCEPT_ENCODING},
    {{"accept-language", 15}, HTTP_ACCEPT_LANGUAGE},
    {{"x-forwarded-for", 15}, HTTP_X_FORWARDED_FOR},
    {{"transfer-encoding", 17}, HTTP_TRANSFER_ENCODING},
    {{"x-forwarded-proto", 17}, HTTP_X_FORWARDED_PROTO},
};

static const struct http_refusal accepted = {0, NULL};
static const struct http_refusal bad_request = {400, "bad_request"};
static const struct http_refusal not_implemented = {501, "not_implemented"};
static const struct http_refusal bad_version = {505, "http_version_not_supported"};
static const struct http_refusal url_too_long = {414, "url_too_long"};
static const struct http_refusal headers_too_large = {431, "headers_too_large"};
static const struct http_refusal expectation_failed = {417, "expectation_failed"};

static size_t span(struct slice text, uint8_t class)
{
    size_t n = 0;
    while (n < text.len && classes[(uint8_t)text.data[n]] & class)
        n++;
    return n;
}

bool http_is_token(struct slice text)
{
    return text.len > 0 && span(text, TOKEN) == text.len;
}

bool http_is_field_value(struct slice text)
{
    return span(text, VALUE) == text.len;
}

struct slice http_trim(struct slice text)
{
    while (text.len && (*text.data == ' ' || *text.data == '\t'))
        text = slice_from(text, 1);
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* ---- step 1: the gate ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* HTTP/0.9 has no version at all, or says so; anything else that is not 1.0 or 1.1 is merely
 * unsupported. */
static struct http_refusal check_version(struct slice version)
{
    if (version.len != VERSION_LEN || !slice_starts(version, SLICE("HTTP/")) ||
        !is_digit(version.data[5]) || version.data[6] != '.' || !is_digit(version.data[7]))
        return bad_request;
    if (version.data[5] == '0')
        return bad_request;
    return version.data[5] == '1' && version.data[7] <= '1' ? accepted : bad_version;
}

static struct http_refusal check_request_line(struct slice line, const struct http_limits *limits)
{
    size_t method = span(line, TOKEN);
    if (method == 0 || method > METHOD_LEN_MAX || method == line.len || line.data[method] != ' ')
        return bad_request;
    struct slice rest = slice_from(line, method + 1);
    size_t target = span(rest, TARGET);
    if (target > limits->max_url_bytes)
        return url_too_long;
    if (target == 0 || target == rest.len || rest.data[target] != ' ')
        return bad_request;
    return check_version(slice_from(rest, target + 1));
}

static struct http_refusal check_field(struct slice line)
{
    size_t name = span(line, TOKEN);
    if (name == 0 || name == line.len || line.data[name] != ':')
        return bad_request;
    return http_is_field_value(slice_from(line, name + 1)) ? accepted : bad_request;
}

/* What can be said about a line whose end has not come yet. */
static struct http_refusal check_partial(const struct http_scan *scan, struct slice data,
                                         const struct http_limits *limits)
{
    if (scan->lines == 0) {
        if (data.len && !(classes[(uint8_t)*data.data] & TOKEN))
            return bad_request;
        size_t longest = limits->max_url_bytes + METHOD_LEN_MAX + VERSION_LEN + 4;
        return data.len > longest ? url_too_long : accepted;
    }
    return data.len - scan->first_line_len > limits->max_header_bytes ? headers_too_large
                                                                      : accepted;
}

static struct http_refusal check_line(const struct http_scan *scan, struct slice line,
                                      const struct http_limits *limits)
{
    if (scan->lines == 0)
        return check_request_line(line, limits);
    if (scan->lines > limits->max_headers ||
        scan->line_start + line.len - scan->first_line_len > limits->max_header_bytes)
        return headers_too_large;
    return check_field(line);
}

size_t http_scan(struct http_scan *scan, struct slice data, const struct http_limits *limits,
                 struct http_refusal *refusal)
{
    *refusal = accepted;
    for (;;) {
        struct slice rest = slice_from(data, scan->line_start);
        const char *newline = memchr(rest.data, '\n', rest.len);
        if (!newline) {
            *refusal = check_partial(scan, data, limits);
            return 0;
        }
        size_t len = (size_t)(newline - rest.data);
        if (len == 0 || rest.data[len - 1] != '\r') {
            *refusal = bad_request;
            return 0;
        }
        struct slice line = {rest.data, len - 1};
        if (line.len == 0 && scan->lines > 0)
            return scan->line_start + 2;
        *refusal = check_line(scan, line, limits);
        if (refusal->status)
            return 0;
        scan->line_start += len + 1;
        if (scan->lines++ == 0)
            scan->first_line_len = len + 1;
    }
}

/* ---- step 2: llhttp and what it leaves to its caller ---- */

static void note_known(struct http_head *head, struct slice name)
{
    for (size_t i = 0; i < sizeof known_headers / sizeof *known_headers; i++) {
        if (known_headers[i].name.len < name.len)
            continue;
        if (known_headers[i].name.len > name.len)
            return;
        if (!slice_ieq(known_headers[i].name, name))
            continue;
        enum http_known which = known_headers[i].which;
        if (!head->known[which])
            head->known[which] = (uint8_t)(head->header_count + 1);
        else if (which == HTTP_HOST || which == HTTP_CONTENT_LENGTH ||
                 which == HTTP_TRANSFER_ENCODING)
            head->repeated = true;
        return;
    }
}

/* llhttp may hand out a name or value in several adjoining pieces. */
static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct http_head *head = parser->data;
    if (head->header_count == head->header_max)
        return -1;
    struct http_header *header = &head->headers[head->header_count];
    if (!head->in_name) {
        head->in_name = true;
        header->name = slice_of(at, 0);
        header->value = slice_of(NULL, 0);
    }
    header->name.len += len;
    return 0;
}

static int on_header_value(llhttp_t *parser, const char *at, size_t len)
{
    struct http_head *head = parser->data;
    struct http_header *header = &head->headers[head->header_count];
    if (!header->value.data)
        header->value = slice_of(at, 0);
    header->value.len = (size_t)(at + len - header->value.data);
    return 0;
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct http_head *head = parser->data;
    struct http_header *header = &head->headers[head->header_count];
    if (!header->value.data)
        header->value = slice_of("", 0);
    header->value = http_trim(header->value);
    note_known(head, header->name);
    head->in_name = false;
    head->header_count++;
    return 0;
}

/* The body is framed by http_conn.c: llhttp stops here. */
static int on_headers_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
};

struct slice http_head_known(const struct http_head *head, enum http_known which)
{
    uint8_t index = head->known[which];
    return index ? head->headers[index - 1].value : (struct slice){NULL, 0};
}

static void split_target(struct http_head *head)
{
    struct slice target = head->target;
    const char *mark = memchr(target.data, '?', target.len);
    head->path = slice_of(target.data, mark ? (size_t)(mark - target.data) : target.len);
    head->query = mark ? slice_from(target, head->path.len + 1) : slice_from(target, target.len);
}

/* `http://host:port/path?query`: the authority takes the place of Host (RFC 9112, 3.2.2). */
static bool parse_absolute(struct http_head *head, char *text)
{
    struct slice target = head->target;
    size_t scheme = target.len > 8 && strncasecmp(target.data, "http://", 7) == 0    ? 7
                    : target.len > 9 && strncasecmp(target.data, "https://", 8) == 0 ? 8
                                                                                     : 0;
    if (scheme == 0)
        return false;
    struct slice rest = slice_from(target, scheme);
    size_t authority = 0;
    while (authority < rest.len && rest.data[authority] != '/' && rest.data[authority] != '?')
        authority++;
    head->host = slice_of(rest.data, authority);
    head->target = slice_from(rest, authority);
    if (head->target.len && *head->target.data == '/')
        return true;
    /* No path: the authority moves one byte to the left over the scheme, which frees one for «/».
     */
    size_t at = (size_t)(rest.data - text);
    memmove(text + at - 1, text + at, authority);
    text[at - 1 + authority] = '/';
    head->host.data--;
    head->target = slice_of(text + at - 1 + authority, head->target.len + 1);
    return true;
}

static struct http_refusal parse_target(struct http_head *head, char *text)
{
    bool is_asterisk = slice_eq(head->target, SLICE("*"));
    if (slice_eq(head->method, SLICE("CONNECT")))
        return not_implemented;
    if (is_asterisk ? !slice_eq(head->method, SLICE("OPTIONS"))
                    : *head->target.data != '/' && !parse_absolute(head, text))
        return bad_request;
    split_target(head);
    return accepted;
}

/* Letters of a reg-name, an IPv4 or bracketed IPv6 literal, and a port; no user, path or list. */
static bool is_host(struct slice host)
{
    if (host.len == 0 || host.len > 255)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        if (!(classes[(uint8_t)host.data[i]] & TARGET) || strchr("/?@,\\\"<>", host.data[i]))
            return false;
    }
    return true;
}

static struct http_refusal settle_host(struct http_head *head)
{
    struct slice host = http_head_known(head, HTTP_HOST);
    if (head->minor == 0 && !host.data)
        return accepted;
    if (!is_host(host))
        return bad_request;
    if (!head->host.data)
        head->host = host;
    return is_host(head->host) ? accepted : bad_request;
}

static struct http_refusal settle_transfer_encoding(struct http_head *head, struct slice coding)
{
    if (head->minor == 0 || head->known[HTTP_CONTENT_LENGTH])
        return bad_request;
    if (slice_ieq(coding, SLICE("chunked"))) {
        head->chunked = true;
        return accepted;
    }
    const char *comma = memrchr(coding.data, ',', coding.len);
    if (!comma)
        return bad_request;
    struct slice before = {coding.data, (size_t)(comma - coding.data)};
    struct slice last = http_trim(slice_from(coding, before.len + 1));
    for (size_t i = 0; i + 7 <= before.len; i++) {
        if (strncasecmp(before.data + i, "chunked", 7) == 0)
            return bad_request;
    }
    return slice_ieq(last, SLICE("chunked")) ? not_implemented : bad_request;
}

static struct http_refusal settle_length(struct http_head *head, struct slice digits)
{
    if (digits.len == 0 || digits.len > 18)
        return bad_request;
    for (size_t i = 0; i < digits.len; i++) {
        if (!is_digit(digits.data[i]))
            return bad_request;
        head->content_length = head->content_length * 10 + (uint64_t)(digits.data[i] - '0');
    }
    return accepted;
}

static struct http_refusal settle_body(struct http_head *head)
{
    struct slice coding = http_head_known(head, HTTP_TRANSFER_ENCODING);
    if (coding.data)
        return settle_transfer_encoding(head, coding);
    struct slice length = http_head_known(head, HTTP_CONTENT_LENGTH);
    return length.data ? settle_length(head, length) : accepted;
}

static struct http_refusal settle_expect(struct http_head *head)
{
    struct slice expect = http_head_known(head, HTTP_EXPECT);
    if (!expect.data || head->minor == 0)
        return accepted;
    head->expects_continue = slice_ieq(expect, SLICE("100-continue"));
    return head->expects_continue ? accepted : expectation_failed;
}

/* Method, target and version: http_scan() has checked the line already. */
static void split_request_line(struct http_head *head, const char *text)
{
    const char *space = strchr(text, ' ');
    head->method = slice_of(text, (size_t)(space - text));
    const char *target = space + 1;
    space = strchr(target, ' ');
    head->target = slice_of(target, (size_t)(space - target));
    head->minor = (uint8_t)(space[VERSION_LEN] - '0');
}

static struct http_refusal run_llhttp(struct http_head *head, const char *text, size_t len)
{
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = head;
    enum llhttp_errno error = llhttp_execute(&parser, text, len);
    bool closes = parser.flags & F_CONNECTION_CLOSE;
    head->keep_alive = !closes && (head->minor || parser.flags & F_CONNECTION_KEEP_ALIVE);
    if (error == HPE_INVALID_METHOD)
        return not_implemented;
    return error == HPE_PAUSED ? accepted : bad_request;
}

struct http_refusal http_head_parse(struct http_head *head, char *text, size_t len)
{
    split_request_line(head, text);
    struct http_refusal refusal = run_llhttp(head, text, len);
    if (!refusal.status && head->repeated)
        refusal = bad_request;
    if (!refusal.status)
        refusal = parse_target(head, text);
    if (!refusal.status)
        refusal = settle_host(head);
    if (!refusal.status)
        refusal = settle_body(head);
    if (!refusal.status)
        refusal = settle_expect(head);
    return refusal;
}
