/* static_files.c: see static_files.h. */
#include "net/static_files.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "net/gzip.h"
#include "net/http_private.h"

#include <stdio.h>
#include <stdlib.h>

enum { HASH_LEN = 8, TAG_HEX_LEN = 32, GZIP_MIN = 1024 };

struct file {
    char *name;
    const char *type;
    struct slice content;
    struct buf packed; /* empty when compression does not pay */
    char hash[HASH_LEN + 1];
    char etag[TAG_HEX_LEN + 3];
    char packed_etag[TAG_HEX_LEN + 6]; /* other bytes, hence another strong tag */
};

struct static_files {
    struct file *list;
    unsigned count, room;
};

static const struct {
    const char *extension, *type;
} types[] = {
    {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"json", "application/json; charset=utf-8"},
    {"webmanifest", "application/manifest+json"},
    {"map", "application/json; charset=utf-8"},
    {"txt", "text/plain; charset=utf-8"},
    {"md", "text/plain; charset=utf-8"},
    {"svg", "image/svg+xml"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"ico", "image/x-icon"},
    {"woff2", "font/woff2"},
    {"woff", "font/woff"},
};

struct static_files *static_files_new(void)
{
    return mem_new(struct static_files);
}

void static_files_free(struct static_files *files)
{
    if (!files)
        return;
    for (unsigned i = 0; i < files->count; i++) {
        free(files->list[i].name);
        buf_free(&files->list[i].packed);
    }
    free(files->list);
    free(files);
}

static const char *type_of(struct slice name)
{
    const char *dot = name.len ? memrchr(name.data, '.', name.len) : NULL;
    struct slice extension = dot ? slice_from(name, (size_t)(dot + 1 - name.data)) : SLICE("");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (slice_ieq(extension, slice_cstr(types[i].extension)))
            return types[i].type;
    }
    return "application/octet-stream";
}

static const struct file *find_plain(const struct static_files *files, struct slice name)
{
    for (unsigned i = 0; i < files->count; i++) {
        if (slice_eq(slice_cstr(files->list[i].name), name))
            return &files->list[i];
    }
    return NULL;
}

static void set_tags(struct file *file)
{
    uint8_t digest[SHA256_BYTES];
    struct buf hex = {0};
    crypto_sha256(file->content, digest);
    encode_hex(slice_of((const char *)digest, sizeof digest), &hex);
    snprintf(file->hash, sizeof file->hash, "%.*s", HASH_LEN, hex.data);
    snprintf(file->etag, sizeof file->etag, "\"%.*s\"", TAG_HEX_LEN, hex.data);
    snprintf(file->packed_etag, sizeof file->packed_etag, "\"%.*s-gz\"", TAG_HEX_LEN, hex.data);
    buf_free(&hex);
}

void static_files_add(struct static_files *files, struct slice name, struct slice content)
{
    if (find_plain(files, name))
        return;
    if (files->count == files->room) {
        files->room = files->room ? files->room * 2 : 16;
        files->list = mem_realloc(files->list, files->room * sizeof *files->list);
    }
    struct file *file = &files->list[files->count++];
    *file = (struct file){
        .name = mem_strndup(name.data, name.len),
        .type = type_of(name),
        .content = content,
    };
    set_tags(file);
    if (content.len < GZIP_MIN || !gzip_is_text_like(slice_cstr(file->type)))
        return;
    if (!gzip_compress_best(content, &file->packed) || file->packed.len >= content.len)
        buf_free(&file->packed);
}

/* `app.1a2b3c4d.css` → `app.css` and the hash; false when there is no hash in the name. */
static bool split_hash(struct slice name, struct buf *plain, struct slice *hash)
{
    const char *last = name.len ? memrchr(name.data, '.', name.len) : NULL;
    size_t before = last ? (size_t)(last - name.data) : 0;
    if (before < HASH_LEN + 2 || name.data[before - HASH_LEN - 1] != '.')
        return false;
    *hash = slice_of(last - HASH_LEN, HASH_LEN);
    if (strspn(hash->data, "0123456789abcdef") < HASH_LEN)
        return false;
    buf_append(plain, name.data, before - HASH_LEN - 1);
    buf_append(plain, last, name.len - before);
    return true;
}

/* `*is_immutable` when the name carries the hash of just these bytes. */
static const struct file *find(const struct static_files *files, struct slice name,
                               bool *is_immutable)
{
    const struct file *file = find_plain(files, name);
    struct buf plain = {0};
    struct slice hash;
    *is_immutable = false;
    if (!file && split_hash(name, &plain, &hash)) {
        file = find_plain(files, buf_slice(&plain));
        *is_immutable = file && slice_eq(slice_cstr(file->hash), hash);
    }
    buf_free(&plain);
    return file;
}

bool static_files_is_current(const struct static_files *files, struct slice name)
{
    bool is_immutable;
    find(files, name, &is_immutable);
    return is_immutable;
}

/* ---- ranges (RFC 9110, 14): one range of bytes; anything else gets the whole file ---- */

enum range { RANGE_NONE, RANGE_PART, RANGE_UNSATISFIABLE };

static bool take_number(struct slice *text, size_t *out)
{
    size_t digits = 0;
    *out = 0;
    while (digits < text->len && text->data[digits] >= '0' && text->data[digits] <= '9') {
        if (digits == 15)
            return false;
        *out = *out * 10 + (size_t)(text->data[digits++] - '0');
    }
    *text = slice_from(*text, digits);
    return digits > 0;
}

/* `first-last`, `first-` or `-suffix`. */
static enum range parse_range(struct slice text, size_t size, struct slice *part)
{
    size_t first, last;
    if (!slice_starts(text, SLICE("bytes=")))
        return RANGE_NONE;
    text = http_trim(slice_from(text, 6));
    bool has_first = take_number(&text, &first);
    if (!text.len || *text.data != '-')
        return RANGE_NONE;
    text = slice_from(text, 1);
    bool has_last = take_number(&text, &last);
    if (text.len || (!has_first && !has_last) || (has_first && has_last && last < first))
        return RANGE_NONE;
    if (!has_first) {
        if (last == 0 || size == 0)
            return RANGE_UNSATISFIABLE;
        first = last < size ? size - last : 0;
        has_last = false;
    }
    if (first >= size)
        return RANGE_UNSATISFIABLE;
    size_t end = has_last && last < size ? last + 1 : size;
    *part = slice_of(part->data + first, end - first);
    return RANGE_PART;
}

/* Only GET has ranges; If-Range must name this very version. */
static enum range find_range(const struct http_request *req, const struct file *file,
                             struct slice *part)
{
    struct slice range = http_head_known(&req->head, HTTP_RANGE);
    struct slice condition = http_head_known(&req->head, HTTP_IF_RANGE);
    *part = file->content;
    if (!range.data || req->is_head)
        return RANGE_NONE;
    if (condition.data && !slice_eq(condition, slice_cstr(file->etag)))
        return RANGE_NONE;
    return parse_range(range, file->content.len, part);
}

/* ---- answering ---- */

struct reply {
    struct http_header headers[8];
    unsigned count;
};

static void add(struct reply *reply, struct slice name, const char *value)
{
    reply->headers[reply->count++] = (struct http_header){name, slice_cstr(value)};
}

static void send_reply(struct http_request *req, const struct reply *reply, int status,
                       struct slice body)
{
    http_reply(req, &(struct http_answer){
                        .status = status,
                        .headers = reply->headers,
                        .header_count = reply->count,
                        .body = body,
                    });
}

static void serve_part(struct http_request *req, const struct file *file, struct reply *reply,
                       struct slice part)
{
    char range[80];
    size_t first = (size_t)(part.data - file->content.data);
    snprintf(range, sizeof range, "bytes %zu-%zu/%zu", first, first + part.len - 1,
             file->content.len);
    add(reply, SLICE("ETag"), file->etag);
    add(reply, SLICE("Content-Range"), range);
    send_reply(req, reply, 206, part);
}

static void serve_whole(struct http_request *req, const struct file *file, struct reply *reply)
{
    bool packed =
        file->packed.len && gzip_is_accepted(http_head_known(&req->head, HTTP_ACCEPT_ENCODING));
    add(reply, SLICE("ETag"), packed ? file->packed_etag : file->etag);
    if (packed)
        add(reply, SLICE("Content-Encoding"), "gzip");
    send_reply(req, reply, 200, packed ? buf_slice(&file->packed) : file->content);
}

static void refuse_range(struct http_request *req, const struct file *file)
{
    char range[40];
    snprintf(range, sizeof range, "bytes */%zu", file->content.len);
    http_reply_problem_with(req, 416, "range_not_satisfiable",
                            (struct http_header){SLICE("Content-Range"), slice_cstr(range)});
}

/* Anything but GET and HEAD. */
static void serve_no_file(struct http_request *req)
{
    struct http_header allow = {SLICE("Allow"), SLICE("GET, HEAD, OPTIONS")};
    if (slice_eq(req->head.method, SLICE("OPTIONS")))
        http_reply(req, &(struct http_answer){.status = 204, .headers = &allow, .header_count = 1});
    else
        http_reply_problem_with(req, 405, "method_not_allowed", allow);
}

bool static_files_serve(const struct static_files *files, struct http_request *req,
                        struct slice name)
{
    bool is_immutable;
    struct slice part;
    const struct file *file = find(files, name, &is_immutable);
    if (!file)
        return false;
    if (!req->is_head && !slice_eq(req->head.method, SLICE("GET"))) {
        serve_no_file(req);
        return true;
    }
    struct reply reply = {.count = 0};
    add(&reply, SLICE("Content-Type"), file->type);
    add(&reply, SLICE("Cache-Control"),
        is_immutable ? "public, max-age=31536000, immutable" : "no-cache");
    add(&reply, SLICE("Accept-Ranges"), "bytes");
    add(&reply, SLICE("X-Content-Type-Options"), "nosniff");
    if (file->packed.len)
        add(&reply, SLICE("Vary"), "Accept-Encoding");

    enum range range = find_range(req, file, &part);
    if (range == RANGE_UNSATISFIABLE)
        refuse_range(req, file);
    else if (range == RANGE_PART)
        serve_part(req, file, &reply, part);
    else
        serve_whole(req, file, &reply);
    return true;
}
