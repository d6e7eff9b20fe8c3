/* redis_url.c: see redis_url.h. */
#include "net/redis_url.h"
#include "base/percent.h"
#include "base/slice.h"

#include <stdlib.h>
#include <sys/un.h>

enum { DB_MAX = 65535 };

struct scheme {
    struct slice prefix;
    bool tls, is_unix, is_sentinel;
    uint16_t default_port;
};

static const struct scheme schemes[] = {
    {SLICE("redis://"), false, false, false, 6379},
    {SLICE("rediss://"), true, false, false, 6379},
    {SLICE("unix://"), false, true, false, 0},
    {SLICE("redis+sentinel://"), false, false, true, 26379},
};

static const struct scheme *find_scheme(struct slice text)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (slice_starts(text, schemes[i].prefix))
            return &schemes[i];
    return NULL;
}

/* Cut `rest` at the first (or last) of `at`: gives what was before it and leaves what is after. */
static bool cut_first(struct slice *rest, char at, struct slice *before)
{
    const char *found = rest->len ? memchr(rest->data, at, rest->len) : NULL;
    if (!found)
        return false;
    *before = slice_of(rest->data, (size_t)(found - rest->data));
    *rest = slice_from(*rest, before->len + 1);
    return true;
}

static bool cut_last(struct slice *rest, char at, struct slice *before)
{
    const char *found = rest->len ? memrchr(rest->data, at, rest->len) : NULL;
    if (!found)
        return false;
    *before = slice_of(rest->data, (size_t)(found - rest->data));
    *rest = slice_from(*rest, before->len + 1);
    return true;
}

/* NULL on a broken escape or an escaped NUL. */
static char *decode(struct slice text)
{
    struct buf out = {0};
    if (percent_decode(text, false, &out) && !memchr(buf_cstr(&out), '\0', out.len))
        return out.data;
    buf_free(&out);
    return NULL;
}

static enum result parse_db(struct slice text, struct redis_url *url, struct failure *why)
{
    if (text.len == 0 || slice_to_unsigned(text, DB_MAX, &url->db))
        return R_OK;
    return fail(why, R_INVALID, "the database in REDIS_URL must be a number from 0 to %d", DB_MAX);
}

static enum result parse_query(struct slice query, struct redis_url *url, struct failure *why)
{
    while (query.len > 0) {
        struct slice pair, name;
        if (!cut_first(&query, '&', &pair)) {
            pair = query;
            query = SLICE("");
        }
        if (!cut_first(&pair, '=', &name) || !slice_eq(name, SLICE("db")))
            return fail(why, R_INVALID, "REDIS_URL knows only ?db= after the question mark");
        enum result rc = parse_db(pair, url, why);
        if (rc != R_OK)
            return rc;
    }
    return R_OK;
}

static enum result parse_user(struct slice info, struct redis_url *url, struct failure *why)
{
    struct slice user;
    if (!cut_first(&info, ':', &user))
        return fail(why, R_INVALID, "before the @ of REDIS_URL write user:password or :password");
    url->password = decode(info);
    if (user.len > 0)
        url->user = decode(user);
    if (!url->password || (user.len > 0 && !url->user))
        return fail(why, R_INVALID, "bad %%-escape before the @ of REDIS_URL");
    if (url->password[0] == '\0')
        return fail(why, R_INVALID, "the password in REDIS_URL is empty");
    return R_OK;
}

static enum result parse_host(struct slice text, uint16_t default_port, struct redis_url *url,
                              struct failure *why)
{
    struct slice host = text, port = SLICE("");
    if (text.len > 0 && text.data[0] == '[') {
        port = slice_from(text, 1);
        if (!cut_first(&port, ']', &host))
            return fail(why, R_INVALID, "the [ of an IPv6 address in REDIS_URL has no ]");
        if (port.len > 0 && port.data[0] != ':')
            return fail(why, R_INVALID, "only :port may follow the ] in REDIS_URL");
        port = slice_from(port, 1);
    } else if (cut_first(&text, ':', &host)) {
        port = text;
    }
    if (host.len == 0 || host.len > 255)
        return fail(why, R_INVALID, "a host is missing in REDIS_URL");
    unsigned number = default_port;
    if (port.len > 0 && (!slice_to_unsigned(port, UINT16_MAX, &number) || number == 0))
        return fail(why, R_INVALID, "a port in REDIS_URL must be a number from 1 to 65535");
    if (url->host_count == REDIS_URL_HOSTS_MAX)
        return fail(why, R_INVALID, "REDIS_URL names more than %d hosts", REDIS_URL_HOSTS_MAX);
    struct redis_endpoint *slot = &url->hosts[url->host_count++];
    slot->host = decode(host);
    slot->port = (uint16_t)number;
    return slot->host ? R_OK : fail(why, R_INVALID, "bad host name in REDIS_URL");
}

static enum result parse_path(struct slice path, struct redis_url *url, struct failure *why)
{
    char *decoded = decode(path);
    url->hosts[0] = (struct redis_endpoint){.host = decoded};
    url->host_count = 1;
    if (!decoded || decoded[0] != '/' || decoded[1] == '\0')
        return fail(why, R_INVALID,
                    "a unix:// REDIS_URL needs an absolute path: unix:///run/redis.sock");
    if (strlen(decoded) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return fail(why, R_INVALID, "the socket path in REDIS_URL is too long");
    return R_OK;
}

/* h1:p,h2:p/NAME/DB */
static enum result parse_sentinels(struct slice rest, uint16_t default_port, struct redis_url *url,
                                   struct failure *why)
{
    struct slice hosts, name;
    if (!cut_first(&rest, '/', &hosts))
        return fail(why, R_INVALID,
                    "REDIS_URL lacks the master's NAME: redis+sentinel://host/NAME/db");
    if (!cut_first(&rest, '/', &name)) {
        name = rest;
        rest = SLICE("");
    }
    url->master_name = decode(name);
    if (!url->master_name || url->master_name[0] == '\0')
        return fail(why, R_INVALID,
                    "REDIS_URL lacks the master's NAME: redis+sentinel://host/NAME/db");
    for (bool more = true; more;) {
        struct slice host;
        more = cut_first(&hosts, ',', &host);
        enum result rc = parse_host(more ? host : hosts, default_port, url, why);
        if (rc != R_OK)
            return rc;
    }
    return parse_db(rest, url, why);
}

/* host[:port][/db] */
static enum result parse_server(struct slice rest, uint16_t default_port, struct redis_url *url,
                                struct failure *why)
{
    struct slice host;
    if (!cut_first(&rest, '/', &host)) {
        host = rest;
        rest = SLICE("");
    }
    enum result rc = parse_host(host, default_port, url, why);
    return rc == R_OK ? parse_db(rest, url, why) : rc;
}

static enum result parse(struct slice text, struct redis_url *url, struct failure *why)
{
    const struct scheme *scheme = find_scheme(text);
    if (!scheme)
        return fail(why, R_INVALID,
                    "REDIS_URL must start with redis://, rediss://, unix:// or redis+sentinel://");
    struct slice rest = slice_from(text, scheme->prefix.len), query, info, before;
    url->tls = scheme->tls;

    enum result rc = R_OK;
    if (cut_last(&rest, '@', &info))
        rc = parse_user(info, url, why);
    query = rest;
    if (rc == R_OK && cut_first(&query, '?', &before)) {
        rest = before;
        rc = parse_query(query, url, why);
    }
    if (rc != R_OK)
        return rc;
    if (scheme->is_unix)
        return parse_path(rest, url, why);
    if (scheme->is_sentinel)
        return parse_sentinels(rest, scheme->default_port, url, why);
    return parse_server(rest, scheme->default_port, url, why);
}

enum result redis_url_parse(const char *text, struct redis_url *out, struct failure *why)
{
    *out = (struct redis_url){0};
    enum result rc = parse(slice_cstr(text), out, why);
    if (rc != R_OK)
        redis_url_clear(out);
    return rc;
}

void redis_url_clear(struct redis_url *url)
{
    for (unsigned i = 0; i < url->host_count; i++)
        free(url->hosts[i].host);
    free(url->user);
    free(url->password);
    free(url->master_name);
    *url = (struct redis_url){0};
}
