/* fetch_answer.c: collecting what a server says, within limits, and saying in words what went
 * wrong. */
#include "net/fetch_call.h"
#include "base/clock.h"

#include <ctype.h>
#include <stdlib.h>

/* ---- header lines ---- */

void fetch_answer_clear(struct fetch_collected *got)
{
    buf_clear(&got->text);
    buf_clear(&got->body);
    got->field_count = 0;
    got->body_bytes = 0;
    got->head_complete = false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && is_blank(s.data[0]))
        s = slice_from(s, 1);
    while (s.len > 0 && is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

/* A line that starts with a space continues the value before it (obsolete, but it exists). */
static void continue_field(struct fetch_collected *got, struct slice more)
{
    if (got->field_count == 0)
        return;
    buf_append_char(&got->text, ' ');
    buf_append_slice(&got->text, more);
    got->fields[got->field_count - 1].value_len += 1 + more.len;
}

static void add_field(struct fetch_collected *got, struct slice line)
{
    const char *colon = memchr(line.data, ':', line.len);
    if (!colon || colon == line.data)
        return;
    struct slice name = slice_of(line.data, (size_t)(colon - line.data));
    struct slice value = trimmed(slice_from(line, name.len + 1));
    struct fetch_field *field = &got->fields[got->field_count++];

    *field = (struct fetch_field){.name = got->text.len, .name_len = name.len};
    for (size_t i = 0; i < name.len; i++)
        buf_append_char(&got->text, (char)tolower((unsigned char)name.data[i]));
    field->value = got->text.len;
    field->value_len = value.len;
    buf_append_slice(&got->text, value);
}

size_t fetch_answer_on_header(char *data, size_t size, size_t count, void *owner)
{
    struct fetch_call *call = owner;
    struct fetch_collected *got = &call->got;
    struct slice line = slice_of(data, size * count), content = trimmed(line);

    if (call->ended)
        return 0;
    if (slice_starts(line, SLICE("HTTP/"))) /* of the answer itself, or of one after a 1xx */
        fetch_answer_clear(got);
    else if (got->head_complete)
        return line.len;
    else if (content.len == 0)
        got->head_complete = true;
    else if (got->text.len + line.len > FETCH_HEADER_BYTES_MAX ||
             got->field_count == FETCH_HEADERS_MAX)
        fetch_call_end(call, R_TOO_BIG, NULL,
                       "%s: the answer's headers are over %d KiB or %d lines", call->target.where,
                       FETCH_HEADER_BYTES_MAX >> 10, FETCH_HEADERS_MAX);
    else if (line.data[0] == ' ' || line.data[0] == '\t')
        continue_field(got, content);
    else
        add_field(got, line);
    return call->ended ? 0 : line.len;
}

static struct slice field_name(const struct fetch_collected *got, const struct fetch_field *field)
{
    return slice_of(got->text.data + field->name, field->name_len);
}

static bool has_field(const struct fetch_collected *got, struct slice name)
{
    for (unsigned i = 0; i < got->field_count; i++)
        if (slice_eq(field_name(got, &got->fields[i]), name))
            return true;
    return false;
}

/* ---- the body ---- */

static int status_of(const struct fetch_call *call)
{
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

bool fetch_answer_is_followed(const struct fetch_call *call)
{
    int status = status_of(call);
    bool redirect =
        status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    return redirect && call->max_redirects > 0 && has_field(&call->got, SLICE("location"));
}

size_t fetch_answer_on_body(char *data, size_t size, size_t count, void *owner)
{
    struct fetch_call *call = owner;
    struct slice piece = slice_of(data, size * count);

    if (call->ended)
        return 0;
    if (fetch_answer_is_followed(call))
        return piece.len;
    if (piece.len > call->max_body_bytes - call->got.body_bytes) {
        fetch_call_end(call, R_TOO_BIG, NULL, "%s: the answer's body is over %zu bytes",
                       call->target.where, call->max_body_bytes);
        return 0;
    }
    call->got.body_bytes += piece.len;
    if (!call->on_piece)
        buf_append_slice(&call->got.body, piece);
    else if (!call->on_piece(call->owner, piece))
        fetch_call_end(call, R_OK, NULL, "stopped by its reader");
    return call->ended ? 0 : piece.len;
}

/* ---- the end ---- */

/* Curl has decompressed the body, so these no longer describe it. */
static bool is_outdated(struct slice name, bool decoded)
{
    return decoded &&
           (slice_eq(name, SLICE("content-encoding")) || slice_eq(name, SLICE("content-length")));
}

void fetch_answer_build(const struct fetch_call *call, struct http_header *headers,
                        struct fetch_answer *out)
{
    const struct fetch_collected *got = &call->got;
    bool decoded = got->body_bytes > 0 && has_field(got, SLICE("content-encoding"));

    *out = (struct fetch_answer){.status = got->status,
                                 .headers = headers,
                                 .body = buf_slice(&got->body),
                                 .connect_us = got->connect_us,
                                 .took_us = (clock_monotonic_ns() - call->started_ns) / 1000};
    for (unsigned i = 0; i < got->field_count; i++) {
        const struct fetch_field *field = &got->fields[i];
        struct slice name = field_name(got, field);
        if (!is_outdated(name, decoded))
            headers[out->header_count++] = (struct http_header){
                name, slice_of(got->text.data + field->value, field->value_len)};
    }
}

const char *fetch_answer_phase(const struct fetch_call *call)
{
    static const struct {
        CURLINFO info;
        const char *phase; /* while that moment has not come */
    } steps[] = {
        {CURLINFO_NAMELOOKUP_TIME_T, "waiting for a free connection"},
        {CURLINFO_CONNECT_TIME_T, "connecting"},
        {CURLINFO_PRETRANSFER_TIME_T, "agreeing on TLS"},
        {CURLINFO_STARTTRANSFER_TIME_T, "waiting for the answer"},
    };

    if (!call->in_multi)
        return "resolving the name";
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        curl_off_t at_us = 0;
        curl_easy_getinfo(call->easy, steps[i].info, &at_us);
        if (at_us == 0)
            return steps[i].phase;
    }
    return "reading the answer";
}

static const struct explanation {
    CURLcode code;
    enum result rc;
    const char *name, *text;
    bool with_curl_error; /* curl's own words add something, and hold no more than host and
                             certificate */
} explanations[] = {
    {CURLE_COULDNT_RESOLVE_HOST, R_UNAVAILABLE, "dns_failed", "the name does not resolve", false},
    {CURLE_COULDNT_CONNECT, R_UNAVAILABLE, "connect_failed", "no connection", true},
    {CURLE_OPERATION_TIMEDOUT, R_UNAVAILABLE, "connect_failed",
     "no connection within the connect timeout", false},
    {CURLE_SSL_CONNECT_ERROR, R_UNAVAILABLE, "tls_failed", "TLS failed", true},
    {CURLE_PEER_FAILED_VERIFICATION, R_UNAVAILABLE, "tls_failed", "TLS failed", true},
    {CURLE_SSL_CACERT_BADFILE, R_UNAVAILABLE, "tls_failed", "the file of trusted roots is unusable",
     false},
    {CURLE_SSL_ENGINE_INITFAILED, R_UNAVAILABLE, "tls_failed", "TLS failed", true},
    {CURLE_SSL_CIPHER, R_UNAVAILABLE, "tls_failed", "TLS failed", true},
    {CURLE_SSL_ISSUER_ERROR, R_UNAVAILABLE, "tls_failed", "TLS failed", true},
    {CURLE_WEIRD_SERVER_REPLY, R_INVALID, "invalid_answer", "the answer is not HTTP", false},
    {CURLE_UNSUPPORTED_PROTOCOL, R_INVALID, "invalid_answer", "the answer is not HTTP", false},
    {CURLE_BAD_CONTENT_ENCODING, R_INVALID, "invalid_answer", "the body cannot be decompressed",
     false},
    {CURLE_WRITE_ERROR, R_INVALID, "invalid_answer", "the body cannot be decoded", false},
    /* Curl's name for one header line over its own limit. */
    {CURLE_OUT_OF_MEMORY, R_TOO_BIG, "too_big", "the answer's headers are too long", false},
};

/* Whatever else curl meets ended the connection before the answer was whole. */
static const struct explanation closed = {
    .rc = R_CLOSED,
    .name = "closed",
    .text = "the connection ended before the answer was complete"};

void fetch_answer_explain(struct fetch_call *call, CURLcode code)
{
    const struct explanation *found = &closed;

    for (size_t i = 0; i < sizeof explanations / sizeof *explanations; i++)
        if (explanations[i].code == code)
            found = &explanations[i];
    bool more = found->with_curl_error && call->curl_error[0] != '\0';
    fetch_call_end(call, found->rc, found->name, "%s: %s%s%s", call->target.where, found->text,
                   more ? ": " : "", more ? call->curl_error : "");
}
