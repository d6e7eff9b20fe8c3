/* fetch_request.c: what may be asked, and how curl is told to ask it. */
#include "net/fetch_call.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum {
    URL_MAX_BYTES = 64 << 10,
    METHOD_MAX_BYTES = 20,
    DEAD_PEER_MS =
        20 * 1000, /* sent bytes nobody acknowledges for so long: the connection is dead */
    IDLE_LIFE_S = 60,
    CONNECTION_LIFE_S = 15 * 60, /* so that changed addresses are noticed under steady use */
};

/* ---- checks ---- */

static enum result refuse(struct failure *why, const char *code, const char *text)
{
    fail(why, R_INVALID, "%s", text);
    if (why)
        snprintf(why->code, sizeof why->code, "%s", code);
    return R_INVALID;
}

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if (c <= ' ' || c >= 127 || strchr("\"(),/:;<=>?@[\\]{}", c))
            return false;
    }
    return s.len > 0;
}

static bool is_one_line(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (((unsigned char)s.data[i] < ' ' && s.data[i] != '\t') || s.data[i] == 127)
            return false;
    return true;
}

/* The connection is ours to manage, and a second opinion about lengths is how requests are
 * smuggled. */
static bool is_ours(struct slice name)
{
    static const char *const names[] = {"content-length", "transfer-encoding", "connection",
                                        "keep-alive",     "upgrade",           "te",
                                        "expect",         "proxy-connection",  "trailer"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_ieq(name, slice_cstr(names[i])))
            return true;
    return false;
}

static enum result check_headers(const struct fetch_request *request, struct failure *why)
{
    if (request->header_count > FETCH_HEADERS_MAX)
        return refuse(why, "invalid_request", "too many headers");
    for (unsigned i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (!is_token(header->name))
            return refuse(why, "invalid_request", "a header name has forbidden characters");
        if (!is_one_line(header->value))
            return refuse(why, "invalid_request", "a header value has control characters");
        if (is_ours(header->name))
            return refuse(
                why, "invalid_request",
                "headers about the connection and the body's length are made by the client itself");
    }
    return R_OK;
}

static enum result check_method(const struct fetch_request *request, struct failure *why)
{
    struct slice method = request->method;
    for (size_t i = 0; i < method.len; i++)
        if (method.data[i] < 'A' || method.data[i] > 'Z')
            return refuse(why, "invalid_request", "a method is upper-case letters");
    if (method.len == 0 || method.len > METHOD_MAX_BYTES || slice_ieq(method, SLICE("CONNECT")))
        return refuse(why, "invalid_request", "the method is not one of HTTP's");
    if (request->body.len > 0 &&
        (slice_eq(method, SLICE("HEAD")) || slice_eq(method, SLICE("TRACE"))))
        return refuse(why, "invalid_request", "this method has no body");
    return R_OK;
}

static enum result check_url_bytes(struct slice url, struct failure *why)
{
    if (url.len > URL_MAX_BYTES)
        return refuse(why, "invalid_url", "the URL is over 64 KiB");
    for (size_t i = 0; i < url.len; i++)
        if (url.data[i] <= ' ' || url.data[i] >= 127)
            return refuse(
                why, "invalid_url",
                "the URL has spaces, control or non-ASCII characters: percent-encode them");
    return R_OK;
}

/* ---- where a URL leads ---- */

static bool is_literal(const char *host)
{
    struct in_addr v4;
    return host[0] == '[' || inet_pton(AF_INET, host, &v4) == 1;
}

static enum result read_target(CURLU *url, struct fetch_target *out, struct failure *why)
{
    enum result rc = R_INVALID;
    char *scheme = NULL, *host = NULL, *port = NULL, *user = NULL;

    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
    curl_url_get(url, CURLUPART_HOST, &host, 0);
    curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    if (!scheme || !host || !port || host[0] == '\0' || strlen(host) >= sizeof out->host) {
        refuse(why, "invalid_url", "the URL has no usable host");
    } else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
        refuse(why, "invalid_url", "the URL must start with http:// or https://");
    } else if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK) {
        refuse(why, "invalid_url", "the URL holds credentials: use the Authorization header");
    } else {
        out->tls = scheme[4] == 's';
        out->literal = is_literal(host);
        out->port = (uint16_t)strtoul(port, NULL, 10);
        snprintf(out->host, sizeof out->host, "%s", host);
        snprintf(out->where, sizeof out->where, "%s:%s", host, port);
        rc = R_OK;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(user);
    return rc;
}

static enum result parse_target(const char *text, struct fetch_target *out, struct failure *why)
{
    CURLU *url = curl_url();
    enum result rc = check_url_bytes(slice_cstr(text), why);

    if (rc == R_OK)
        rc = curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK
                 ? read_target(url, out, why)
                 : refuse(why, "invalid_url", "the URL is malformed");
    curl_url_cleanup(url);
    return rc;
}

/* ---- taking a request ---- */

static bool has_header(const struct fetch_request *request, struct slice name)
{
    for (unsigned i = 0; i < request->header_count; i++)
        if (slice_ieq(request->headers[i].name, name))
            return true;
    return false;
}

static void copy_headers(struct fetch_call *call, const struct fetch_request *request)
{
    struct buf line = {0};

    for (unsigned i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        buf_clear(&line);
        buf_append_slice(&line, header->name);
        /* "Name;" is how curl is told of an empty value. */
        buf_append_slice(&line, header->value.len > 0 ? SLICE(": ") : SLICE(";"));
        buf_append_slice(&line, header->value);
        call->headers = curl_slist_append(call->headers, buf_cstr(&line));
    }
    /* Not to be added by curl itself. */
    call->headers = curl_slist_append(call->headers, "Expect:");
    if (!has_header(request, SLICE("content-type")))
        call->headers = curl_slist_append(call->headers, "Content-Type:");
    buf_free(&line);
}

enum result fetch_request_take(struct fetch_call *call, const struct fetch_request *request,
                               struct failure *why)
{
    enum result rc = check_method(request, why);
    if (rc == R_OK)
        rc = check_headers(request, why);
    if (rc == R_OK && memchr(request->url.data ? request->url.data : "", '\0', request->url.len))
        rc = refuse(why, "invalid_url", "the URL has a NUL");
    if (rc != R_OK)
        return rc;

    call->url = mem_strndup(request->url.data ? request->url.data : "", request->url.len);
    rc = parse_target(call->url, &call->target, why);
    if (rc != R_OK)
        return rc;
    call->method = mem_strndup(request->method.data, request->method.len);
    copy_headers(call, request);
    buf_append_slice(&call->body, request->body);
    call->timeout_ms = request->timeout_ms;
    call->connect_timeout_ms = request->connect_timeout_ms;
    call->max_body_bytes = request->max_body_bytes;
    call->max_redirects = request->max_redirects;
    call->on_piece = request->on_piece;
    return R_OK;
}

/* ---- redirects ---- */

static void drop_header(struct curl_slist **list, const char *name)
{
    size_t len = strlen(name);
    while (*list) {
        struct curl_slist *item = *list;
        if (strncasecmp(item->data, name, len) == 0 && strchr(":;", item->data[len])) {
            *list = item->next;
            item->next = NULL;
            curl_slist_free_all(item);
        } else {
            list = &item->next;
        }
    }
}

static bool becomes_get(const struct fetch_call *call, int status)
{
    if (status == 303)
        return strcmp(call->method, "HEAD") != 0;
    return (status == 301 || status == 302) && strcmp(call->method, "POST") == 0;
}

static bool same_origin(const struct fetch_target *a, const struct fetch_target *b)
{
    return a->tls == b->tls && a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

enum result fetch_request_redirect(struct fetch_call *call, int status, char *url,
                                   struct failure *why)
{
    struct fetch_target target;

    free(call->url);
    call->url = url;
    if (parse_target(url, &target, why) != R_OK)
        return R_INVALID;
    if (call->target.tls && !target.tls)
        return refuse(why, "bad_redirect", "it leads from https to http");
    if (!same_origin(&call->target, &target)) {
        drop_header(&call->headers, "authorization");
        drop_header(&call->headers, "cookie");
        drop_header(&call->headers, "host");
    }
    if (becomes_get(call, status)) {
        free(call->method);
        call->method = mem_strdup("GET");
        buf_clear(&call->body);
        drop_header(&call->headers, "content-type");
    }
    call->target = target;
    return R_OK;
}

/* ---- the easy handle ---- */

static bool is_repeatable(const char *method)
{
    return strcmp(method, "POST") != 0 && strcmp(method, "PATCH") != 0;
}

static size_t on_body_wanted(char *out, size_t size, size_t count, void *owner)
{
    struct fetch_call *call = owner;
    struct slice rest = slice_from(buf_slice(&call->body), call->body_sent);
    size_t len = rest.len < size * count ? rest.len : size * count;

    memcpy(out, rest.data, len);
    call->body_sent += len;
    return len;
}

/* When a pooled connection dies, curl sends the request again on another if it may read the body
 * again: the server may have acted on it, so only a repeatable request may. */
static int on_body_wanted_again(void *owner, curl_off_t offset, int origin)
{
    struct fetch_call *call = owner;
    if (origin != SEEK_SET || offset != 0 || (call->body_sent > 0 && !is_repeatable(call->method)))
        return CURL_SEEKFUNC_FAIL;
    call->body_sent = 0;
    return CURL_SEEKFUNC_OK;
}

static int on_socket_made(void *owner, curl_socket_t fd, curlsocktype purpose)
{
    (void)owner, (void)purpose;
    unsigned dead_ms = DEAD_PEER_MS;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof dead_ms);
    return CURL_SOCKOPT_OK;
}

static void set_connection(CURL *easy, struct fetch_call *call)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* nor from the environment */
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (call->fetch->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, call->fetch->ca_file);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, call->target.tls ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket_made);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_LIFE_S);
    curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, (long)CONNECTION_LIFE_S);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* never join a resolver thread */
}

static void set_method(CURL *easy, struct fetch_call *call)
{
    bool has_body = call->body.len > 0;
    bool expects_length = strcmp(call->method, "POST") == 0 || strcmp(call->method, "PUT") == 0 ||
                          strcmp(call->method, "PATCH") == 0;

    if (has_body || expects_length) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
    }
    if (has_body) {
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_body_wanted);
        curl_easy_setopt(easy, CURLOPT_READDATA, call);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_body_wanted_again);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, call);
    } else if (expects_length) {
        /* Without a body nothing could stop curl from asking twice, except a connection that cannot
         * be stale. */
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, is_repeatable(call->method) ? 0L : 1L);
    }
    if (strcmp(call->method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
}

static void set_answer(CURL *easy, struct fetch_call *call)
{
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, fetch_answer_on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, fetch_answer_on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_error);
}

/* The '+' lets curl forget the addresses again by itself. */
static void set_addresses(CURL *easy, struct fetch_call *call, const char *addresses)
{
    struct buf entry = {0};

    curl_slist_free_all(call->addresses);
    buf_printf(&entry, "+%s:%s", call->target.where, addresses);
    call->addresses = curl_slist_append(NULL, buf_cstr(&entry));
    curl_easy_setopt(easy, CURLOPT_RESOLVE, call->addresses);
    buf_free(&entry);
}

void fetch_request_prepare(struct fetch_call *call, const char *addresses)
{
    CURL *easy = curl_easy_init();

    call->easy = easy;
    call->body_sent = 0;
    call->curl_error[0] = '\0';
    fetch_answer_clear(&call->got);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(easy, CURLOPT_URL, call->url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, call->fetch->user_agent);
    set_connection(easy, call);
    set_method(easy, call);
    set_answer(easy, call);
    if (addresses)
        set_addresses(easy, call, addresses);
}
