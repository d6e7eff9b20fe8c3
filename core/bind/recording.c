/* recording.c: see recording.h. */
#include "bind/recording.h"
#include "bind/exchange.h"
#include "bind/routes.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json_text.h"
#include "base/mem.h"
#include "base/percent.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
    TARGET_MAX_BYTES = 2048,
    HEADER_MAX_BYTES = 256,
    CROWDS = 1024,
    KEPT_FOR_MS = 24 * 3600 * 1000,
};

struct entry {
    uint64_t same;         /* of all that makes the request */
    unsigned route, group; /* where it is counted: its route; its route and driver */
    int64_t at_ms;
    int status;
    unsigned times;
    char *json; /* its members but for those above, without braces */
};

struct recording {
    unsigned keep, count;
    int64_t added_ms;
    unsigned short of_route[CROWDS],
        of_group[CROWDS]; /* how many are kept; collisions only make it less fair */
    struct entry entries[];
};

struct recording *recording_new(unsigned keep)
{
    struct recording *recording = mem_zalloc(sizeof *recording + keep * sizeof *recording->entries);
    recording->keep = keep;
    return recording;
}

void recording_free(struct recording *recording)
{
    for (unsigned i = 0; recording && i < recording->count; i++)
        free(recording->entries[i].json);
    free(recording);
}

unsigned recording_count(const struct recording *recording)
{
    return recording->count;
}

/* ---- what makes a request ---- */

static uint64_t mix(uint64_t hash, struct slice text)
{
    return hash_byte(hash_text(hash, text), 0xff); /* so that «ab» «c» is not «a» «bc» */
}

static uint64_t hash_all(const struct recorded_request *request, uint64_t hash)
{
    hash = mix(mix(hash, request->path), request->query);
    for (unsigned i = 0; i < request->header_count; i++)
        hash = mix(mix(hash, request->headers[i].name), request->headers[i].value);
    return hash;
}

/* ---- secrets ---- */

static bool contains(struct slice text, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= text.len; i++)
        if (slice_ieq(slice_of(text.data + i, len), slice_of(word, len)))
            return true;
    return false;
}

static bool is_secret(struct slice name, const char *const *hides)
{
    static const char *const parts[] = {"token",     "secret",    "passw",    "phone",
                                        "mail",      "cookie",    "auth",     "session",
                                        "signature", "init_data", "initdata", "webappdata"};
    static const char *const wholes[] = {"key", "hash", "code", "pin"};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (contains(name, parts[i]))
            return true;
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++)
        if (slice_ieq(name, slice_cstr(wholes[i])))
            return true;
    for (; hides && *hides; hides++)
        if (slice_eq(name, slice_cstr(*hides)))
            return true;
    return contains(name, "_key");
}

/* Append the pairs of the query without secret values; true when there were some. */
static bool append_query(struct buf *out, struct slice query, const char *const *hides)
{
    struct buf name = {0};
    bool hidden = false;

    while (query.len > 0) {
        struct slice pair = slice_cut(&query, '&'), value = pair;
        buf_clear(&name);
        bool readable = percent_decode(slice_cut(&value, '='), true, &name);
        if (value.len > 0 && (!readable || is_secret(buf_slice(&name), hides))) {
            hidden = true;
            pair.len -= value.len;
        }
        if (out->len > 0)
            buf_append_char(out, '&');
        buf_append_slice(out, pair);
    }
    buf_free(&name);
    return hidden;
}

static bool path_is_secret(struct slice route, const char *const *hides)
{
    slice_cut(&route, '{');
    while (route.len > 0) {
        if (is_secret(slice_cut(&route, '}'), hides))
            return true;
        slice_cut(&route, '{');
    }
    return false;
}

/* ---- writing ---- */

static void put(struct buf *out, const char *name, struct slice text)
{
    buf_printf(out, ",\"%s\":", name);
    json_text_append(out, text);
}

static void put_headers(struct buf *out, const struct recorded_request *request)
{
    buf_append_slice(out, SLICE(",\"headers\":{"));
    for (unsigned i = 0; i < request->header_count; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        json_text_append(out, request->headers[i].name);
        buf_append_char(out, ':');
        json_text_append(out, request->headers[i].value);
    }
    buf_append_char(out, '}');
}

static char *describe(const struct recorded_request *request)
{
    struct buf out = {0}, query = {0};
    bool hidden = append_query(&query, request->query, request->hides);
    bool hidden_path = path_is_secret(request->route, request->hides);

    put(&out, "method", request->method);
    put(&out, "route", request->route);
    put(&out, "path", hidden_path ? request->route : request->path);
    put(&out, "query", buf_slice(&query));
    put_headers(&out, request);
    if (request->driver.len > 0)
        put(&out, "driver", request->driver);
    if (request->body_bytes > 0) {
        put(&out, "body_type", request->body_type);
        buf_printf(&out, ",\"body_bytes\":%zu", request->body_bytes);
    }
    if (hidden || hidden_path)
        buf_append_slice(&out, SLICE(",\"hidden\":true"));
    char *json = mem_strndup(out.data, out.len);
    buf_free(&out);
    buf_free(&query);
    return json;
}

/* ---- the ring ---- */

static struct entry *find(struct recording *recording, uint64_t same)
{
    for (unsigned i = 0; i < recording->count; i++)
        if (recording->entries[i].same == same)
            return &recording->entries[i];
    return NULL;
}

static struct entry *choose_victim(struct recording *recording)
{
    struct entry *victim = &recording->entries[0];
    for (unsigned i = 1; i < recording->count; i++) {
        struct entry *entry = &recording->entries[i];
        int routes = recording->of_route[entry->route] - recording->of_route[victim->route];
        int groups = recording->of_group[entry->group] - recording->of_group[victim->group];
        if (routes > 0 ||
            (routes == 0 && (groups > 0 || (groups == 0 && entry->at_ms < victim->at_ms))))
            victim = entry;
    }
    return victim;
}

static struct entry *make_room(struct recording *recording)
{
    if (recording->count < recording->keep)
        return &recording->entries[recording->count++];
    struct entry *victim = choose_victim(recording);
    recording->of_route[victim->route]--;
    recording->of_group[victim->group]--;
    free(victim->json);
    return victim;
}

/* In a flood of different requests of one driver, one a millisecond is enough: describing costs more than looking. */
static bool is_flood(const struct recording *recording, unsigned group, int64_t at_ms)
{
    return recording->count == recording->keep && recording->of_group[group] > 1 &&
           recording->added_ms == at_ms;
}

void recording_add(struct recording *recording, const struct recorded_request *request)
{
    if (request->path.len + request->query.len > TARGET_MAX_BYTES)
        return;
    uint64_t route = mix(mix(HASH_START, request->method), request->route);
    uint64_t group = mix(route, request->driver);
    uint64_t same = hash_all(request, group);
    struct entry *entry = find(recording, same);

    if (!entry && is_flood(recording, (unsigned)(group % CROWDS), request->at_ms))
        return;
    if (!entry) {
        recording->added_ms = request->at_ms;
        entry = make_room(recording);
        *entry = (struct entry){.same = same,
                                .route = (unsigned)(route % CROWDS),
                                .group = (unsigned)(group % CROWDS),
                                .json = describe(request)};
        recording->of_route[entry->route]++;
        recording->of_group[entry->group]++;
    }
    entry->at_ms = request->at_ms;
    entry->status = request->status;
    entry->times++;
}

/* What of a header decides about an answer; HX-Current-URL is left out, for it may carry anything. */
static const struct slice kept_headers[] = {SLICE("accept"),
                                            SLICE("accept-language"),
                                            SLICE("hx-request"),
                                            SLICE("hx-target"),
                                            SLICE("hx-trigger"),
                                            SLICE("hx-boosted"),
                                            SLICE("hx-history-restore-request")};

static bool take_headers(struct recorded_request *request, const struct http_request *req)
{
    for (size_t i = 0; i < sizeof kept_headers / sizeof *kept_headers; i++) {
        struct slice value = http_find_header(req, kept_headers[i]);
        if (!value.data)
            continue;
        if (value.len > HEADER_MAX_BYTES)
            return false;
        request->headers[request->header_count++] = (struct http_header){kept_headers[i], value};
    }
    return true;
}

void recording_take(struct recording *recording, const struct exchange *exchange,
                    const struct http_request *req, int status)
{
    const struct route *route = exchange->route;
    struct recorded_request request = {.method = http_method(req),
                                       .route = slice_cstr(route->pattern),
                                       .path = http_path(req),
                                       .query = http_query(req),
                                       .driver = slice_cstr(exchange->driver_id),
                                       .body_type = http_find_header(req, SLICE("content-type")),
                                       .body_bytes = http_body(req).len,
                                       .status = status,
                                       .at_ms = clock_wall_ms(),
                                       .hides = (const char *const *)route->hides};

    if (request.body_type.len > HEADER_MAX_BYTES)
        request.body_type = SLICE("");
    if (take_headers(&request, req))
        recording_add(recording, &request);
}

/* ---- reading ---- */

static int by_age(const void *a, const void *b)
{
    const struct entry *const *one = a, *const *other = b;
    return ((*one)->at_ms < (*other)->at_ms) - ((*one)->at_ms > (*other)->at_ms);
}

void recording_describe(const struct recording *recording, size_t max_bytes, struct buf *out)
{
    const struct entry **sorted = mem_alloc((recording->count + 1) * sizeof *sorted);
    int64_t oldest_ms = clock_wall_ms() - KEPT_FOR_MS;
    size_t begin = out->len;

    for (unsigned i = 0; i < recording->count; i++)
        sorted[i] = &recording->entries[i];
    qsort(sorted, recording->count, sizeof *sorted, by_age);
    buf_append_char(out, '[');
    for (unsigned i = 0; i < recording->count && out->len - begin < max_bytes; i++) {
        const struct entry *entry = sorted[i];
        if (entry->at_ms < oldest_ms)
            break;
        buf_printf(out, "%s{\"at_ms\":%" PRId64 ",\"status\":%d,\"times\":%u%s}", i ? "," : "",
                   entry->at_ms, entry->status, entry->times, entry->json);
    }
    buf_append_char(out, ']');
    free(sorted);
}
