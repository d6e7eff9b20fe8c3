/* bundle.c: see bundle.h. The memory file is a head, then a body: an index sorted by path, paths, contents, and the
 * packed conf. The hash is over the body, so equal sources and settings give equal hashes on every node. */
#include "base/bundle.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 16 << 20, BUNDLE_MAX_BYTES = 256 << 20, FILES_MAX = 20000 };
enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL };

static const char magic[8] = "FURABN1";

struct span {
    uint64_t offset, len; /* in the body */
};

struct head {
    char magic[8];
    char hash[SHA256_BYTES * 2];
    uint64_t count;
    struct span conf;
};

struct index_entry {
    struct span path, content;
};

struct bundle {
    int fd;
    size_t bytes;
    const struct head *head;
    const struct index_entry *index;
    struct slice body;
    char hash[SHA256_BYTES * 2 + 1];
};

/* ---- reading the folders ---- */

struct reading {
    const char *root, *folder;
    struct index_entry *index; /* offsets into `bytes` while reading */
    unsigned count;
    struct buf bytes;
    struct buf *problems;
    bool failed;
};

static struct span add_bytes(struct buf *bytes, struct slice data)
{
    struct span span = {bytes->len, data.len};
    buf_append_slice(bytes, data);
    return span;
}

static void problem(struct reading *reading, const char *path, const char *text)
{
    buf_printf(reading->problems, "%s: %s\n", path, text);
    reading->failed = true;
}

static const char *why_not(enum result rc)
{
    return rc == R_TOO_BIG     ? "is too big (expected at most 16 MiB)"
           : rc == R_NOT_FOUND ? "vanished while it was read (expected a quiet folder)"
                               : "cannot be read (expected a readable file)";
}

static void on_path(void *owner, const char *relative)
{
    struct reading *reading = owner;
    size_t len = strlen(relative);
    if (len > 0 && relative[len - 1] == '~') /* an editor's backup */
        return;
    struct buf path = {0}, full = {0}, content = {0};
    buf_printf(&path, "%s/%s", reading->folder, relative);
    buf_printf(&full, "%s/%s", reading->root, buf_cstr(&path));
    enum result rc = file_read(buf_cstr(&full), FILE_MAX_BYTES, &content);
    if (rc != R_OK) {
        problem(reading, path.data, why_not(rc));
    } else if (reading->count >= FILES_MAX || reading->bytes.len + content.len > BUNDLE_MAX_BYTES) {
        problem(reading, path.data,
                "does not fit (expected at most 20000 files and 256 MiB in all)");
    } else {
        reading->index = mem_realloc(reading->index, (reading->count + 1) * sizeof *reading->index);
        reading->index[reading->count++] =
            (struct index_entry){.path = add_bytes(&reading->bytes, buf_slice(&path)),
                                 .content = add_bytes(&reading->bytes, buf_slice(&content))};
    }
    buf_free(&path);
    buf_free(&full);
    buf_free(&content);
}

static void read_folder(struct reading *reading, const char *folder, bool required)
{
    struct buf path = {0};
    reading->folder = folder;
    buf_printf(&path, "%s/%s", reading->root, folder);
    enum result rc = file_walk(buf_cstr(&path), on_path, reading);
    if (rc == R_NOT_FOUND && required)
        problem(reading, folder,
                "does not exist (expected the application's folder below its root)");
    else if (rc != R_OK && rc != R_NOT_FOUND)
        problem(reading, folder, "cannot be listed (expected a readable folder without circles)");
    buf_free(&path);
}

static int compare(struct slice a, struct slice b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_path(const void *a, const void *b, void *bytes)
{
    struct span x = ((const struct index_entry *)a)->path,
                y = ((const struct index_entry *)b)->path;
    return compare(slice_of((char *)bytes + x.offset, x.len),
                   slice_of((char *)bytes + y.offset, y.len));
}

/* ---- writing the memory file ---- */

/* The body is index then bytes, so offsets move by the length of the index. */
static void build_body(struct reading *reading, const struct conf *conf, struct head *head,
                       struct buf *body)
{
    struct buf packed = {0};
    size_t index_bytes = reading->count * sizeof *reading->index;
    qsort_r(reading->index, reading->count, sizeof *reading->index, by_path, reading->bytes.data);
    for (unsigned i = 0; i < reading->count; i++) {
        reading->index[i].path.offset += index_bytes;
        reading->index[i].content.offset += index_bytes;
    }
    conf_pack(conf, &packed);
    buf_append(body, reading->index, index_bytes);
    buf_append_slice(body, buf_slice(&reading->bytes));
    head->conf = add_bytes(body, buf_slice(&packed));
    head->count = reading->count;
    buf_free(&packed);

    uint8_t digest[SHA256_BYTES];
    struct buf hex = {0};
    memcpy(head->magic, magic, sizeof magic);
    crypto_sha256(buf_slice(body), digest);
    encode_hex(slice_of((const char *)digest, sizeof digest), &hex);
    memcpy(head->hash, hex.data, sizeof head->hash);
    buf_free(&hex);
}

static bool write_all(int fd, struct slice data)
{
    while (data.len > 0) {
        ssize_t done = write(fd, data.data, data.len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        data = slice_from(data, (size_t)done);
    }
    return true;
}

static int write_sealed(const struct head *head, struct slice body)
{
    int fd = memfd_create("fura-bundle", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (write_all(fd, slice_of((const char *)head, sizeof *head)) && write_all(fd, body) &&
        fcntl(fd, F_ADD_SEALS, SEALS) == 0)
        return fd;
    close(fd);
    return -1;
}

enum result bundle_read(const struct conf_source *source, const struct conf *conf,
                        struct bundle **out, struct buf *problems)
{
    struct reading reading = {.root = source->root, .problems = problems};
    enum result rc = R_INVALID;
    struct buf body = {0};
    struct head head = {0};
    read_folder(&reading, "build/static", false);
    read_folder(&reading, "lua", true);
    read_folder(&reading, "plugins", false);
    read_folder(&reading, "migrations", false); /* readiness compares them with the database */
    if (reading.failed || reading.count == 0)
        goto done;

    build_body(&reading, conf, &head, &body);
    int fd = write_sealed(&head, buf_slice(&body));
    rc = fd < 0 ? R_IO : bundle_map(fd, out);
    if (fd < 0)
        buf_printf(problems, "bundle: no memory file can be made (%s)\n", strerror(errno));
done:
    if (reading.count == 0 && !reading.failed)
        buf_printf(problems, "lua: is empty (expected the application's sources)\n");
    free(reading.index);
    buf_free(&reading.bytes);
    buf_free(&body);
    return rc;
}

/* ---- using it ---- */

static struct slice at(const struct bundle *bundle, struct span span)
{
    return slice_of(bundle->body.data + span.offset, (size_t)span.len);
}

static bool is_inside(const struct bundle *bundle, struct span span)
{
    return span.offset <= bundle->body.len && span.len <= bundle->body.len - span.offset;
}

static bool is_sound(const struct bundle *bundle)
{
    const struct head *head = bundle->head;
    if (memcmp(head->magic, magic, sizeof magic) != 0 || head->count > FILES_MAX ||
        head->count * sizeof *bundle->index > bundle->body.len || !is_inside(bundle, head->conf))
        return false;
    for (uint64_t i = 0; i < head->count; i++)
        if (!is_inside(bundle, bundle->index[i].path) ||
            !is_inside(bundle, bundle->index[i].content))
            return false;
    return true;
}

/* Only what can no longer change may be mapped: a file that shrinks under a mapping kills the process. */
static void *map_sealed(int fd, size_t *bytes)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) != 0 ||
        st.st_size < (off_t)sizeof(struct head))
        return NULL;
    *bytes = (size_t)st.st_size;
    void *map = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    return map == MAP_FAILED ? NULL : map;
}

enum result bundle_map(int fd, struct bundle **out)
{
    size_t bytes = 0;
    const char *map = map_sealed(fd, &bytes);
    if (!map) {
        close(fd);
        return R_INVALID;
    }
    struct bundle *bundle = mem_new(struct bundle);
    bundle->fd = fd;
    bundle->bytes = bytes;
    bundle->head = (const struct head *)(const void *)map;
    bundle->body = slice_of(map + sizeof(struct head), bytes - sizeof(struct head));
    bundle->index = (const struct index_entry *)(const void *)bundle->body.data;
    memcpy(bundle->hash, bundle->head->hash, sizeof bundle->head->hash);
    if (!is_sound(bundle)) {
        bundle_free(bundle);
        return R_INVALID;
    }
    *out = bundle;
    return R_OK;
}

void bundle_free(struct bundle *bundle)
{
    if (!bundle)
        return;
    munmap((void *)(uintptr_t)bundle->head, bundle->bytes);
    close(bundle->fd);
    free(bundle);
}

int bundle_fd(const struct bundle *bundle)
{
    return bundle->fd;
}

const char *bundle_hash(const struct bundle *bundle)
{
    return bundle->hash;
}

unsigned bundle_count(const struct bundle *bundle)
{
    return (unsigned)bundle->head->count;
}

struct slice bundle_path_at(const struct bundle *bundle, unsigned index, struct slice *content)
{
    if (content)
        *content = at(bundle, bundle->index[index].content);
    return at(bundle, bundle->index[index].path);
}

void bundle_hash_sources(const struct bundle *bundle, struct buf *out)
{
    uint8_t digest[SHA256_BYTES];
    struct buf all = {0};

    for (unsigned i = 0; i < bundle_count(bundle); i++) {
        struct slice content;
        buf_append_slice(&all, bundle_path_at(bundle, i, &content));
        buf_append_char(&all, '\0');
        crypto_sha256(content, digest);
        buf_append(&all, digest, sizeof digest);
    }
    crypto_sha256(buf_slice(&all), digest);
    encode_hex(slice_of((const char *)digest, sizeof digest), out);
    buf_free(&all);
}

bool bundle_find(const struct bundle *bundle, struct slice path, struct slice *content)
{
    unsigned low = 0, high = bundle_count(bundle);
    while (low < high) {
        unsigned middle = (low + high) / 2;
        int order = compare(path, bundle_path_at(bundle, middle, content));
        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

struct slice bundle_conf(const struct bundle *bundle)
{
    return at(bundle, bundle->head->conf);
}
