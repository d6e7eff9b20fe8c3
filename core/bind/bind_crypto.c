/* bind_crypto.c: host.crypto. Only scrypt waits: it runs on the helper thread. */
#include "bind/bind.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "net/offload.h"
#include "script/wait.h"

#include <stdlib.h>

enum {
    KEYS_MAX = 8,
    RANDOM_MAX_BYTES = 1 << 20,
    SCRYPT_LENGTH_MAX = 1024,
    SEALED_MIN_BYTES = 1 + 4 + 12 + 16,
};

static int push_bytes(lua_State *L, const uint8_t *bytes, size_t len)
{
    lua_pushlstring(L, (const char *)bytes, len);
    return 1;
}

static int l_sha256(lua_State *L)
{
    uint8_t out[SHA256_BYTES];
    crypto_sha256(bind_check_slice(L, 1), out);
    return push_bytes(L, out, sizeof out);
}

static int l_md5(lua_State *L)
{
    uint8_t out[MD5_BYTES];
    crypto_md5(bind_check_slice(L, 1), out);
    return push_bytes(L, out, sizeof out);
}

static int l_hmac_sha256(lua_State *L)
{
    uint8_t out[SHA256_BYTES];
    crypto_hmac_sha256(bind_check_slice(L, 1), bind_check_slice(L, 2), out);
    return push_bytes(L, out, sizeof out);
}

static int l_hmac_sha1(lua_State *L)
{
    uint8_t out[SHA1_BYTES];
    crypto_hmac_sha1(bind_check_slice(L, 1), bind_check_slice(L, 2), out);
    return push_bytes(L, out, sizeof out);
}

static int l_ed25519_verify(lua_State *L)
{
    struct slice key = bind_check_slice(L, 1), message = bind_check_slice(L, 2);
    struct slice signature = bind_check_slice(L, 3);
    lua_pushboolean(L, key.len == ED25519_KEY_BYTES && signature.len == ED25519_SIGNATURE_BYTES &&
                           crypto_ed25519_verify((const uint8_t *)key.data, message,
                                                 (const uint8_t *)signature.data));
    return 1;
}

/* The keys as one array; raises unless each is a string of 32 bytes. */
static unsigned check_keys(lua_State *L, int index, uint8_t keys[KEYS_MAX][AEAD_KEY_BYTES])
{
    luaL_checktype(L, index, LUA_TTABLE);
    size_t count = lua_objlen(L, index);
    luaL_argcheck(L, count >= 1 && count <= KEYS_MAX, index, "1 to 8 keys expected");
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        lua_rawgeti(L, index, (int)i + 1);
        const char *key = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
        luaL_argcheck(L, key && len == AEAD_KEY_BYTES, index, "a key must be 32 raw bytes");
        memcpy(keys[i], key, AEAD_KEY_BYTES);
        lua_pop(L, 1);
    }
    return (unsigned)count;
}

static int l_seal(lua_State *L)
{
    uint8_t keys[KEYS_MAX][AEAD_KEY_BYTES];
    check_keys(L, 1, keys);
    crypto_seal(keys[0], bind_check_slice(L, 2), bind_check_slice(L, 3), bind_scratch());
    explicit_bzero(keys, sizeof keys);
    return bind_push_scratch(L);
}

static int l_open(lua_State *L)
{
    uint8_t keys[KEYS_MAX][AEAD_KEY_BYTES];
    struct slice sealed = bind_check_slice(L, 2), context = bind_check_slice(L, 3);
    unsigned count = check_keys(L, 1, keys);
    struct buf *plain = bind_scratch();
    enum result rc =
        crypto_open((const uint8_t(*)[AEAD_KEY_BYTES])keys, count, sealed, context, plain);
    explicit_bzero(keys, sizeof keys);
    if (rc == R_NOT_FOUND)
        return bind_failure_text(L, "not_found", "crypto", "sealed by a key that is not at hand");
    if (rc != R_OK)
        return bind_failure_text(L, "invalid", "crypto", "damaged, or sealed for another context");
    bind_push_scratch(L);
    if (plain->len > 0)
        explicit_bzero(plain->data, plain->len);
    return 1;
}

/* A raw key is one byte shorter than the shortest sealed value. */
static int l_key_id(lua_State *L)
{
    struct slice value = bind_check_slice(L, 1);
    uint8_t id[4];

    if (value.len == AEAD_KEY_BYTES)
        crypto_key_id((const uint8_t *)value.data, id);
    else if (value.len >= SEALED_MIN_BYTES)
        memcpy(id, value.data + 1, sizeof id);
    else
        return luaL_argerror(L, 1, "a sealed value or a raw key of 32 bytes expected");
    encode_hex(slice_of((const char *)id, sizeof id), bind_scratch());
    return bind_push_scratch(L);
}

/* ---- scrypt ---- */

struct scrypt_job {
    struct wait *wait;
    struct buf password, salt;
    uint64_t n;
    uint32_t r, p;
    size_t length;
    uint8_t key[SCRYPT_LENGTH_MAX];
    enum result rc; /* R_CANCELLED until the thread came to it */
};

static void free_job(struct scrypt_job *job)
{
    if (job->password.data)
        explicit_bzero(job->password.data, job->password.cap);
    explicit_bzero(job->key, sizeof job->key);
    buf_free(&job->password);
    buf_free(&job->salt);
    free(job);
}

static void on_scrypt_work(void *owner)
{
    struct scrypt_job *job = owner;
    job->rc = crypto_scrypt(buf_slice(&job->password), buf_slice(&job->salt), job->n, job->r,
                            job->p, job->key, job->length);
}

static int push_scrypt(lua_State *L, const struct scrypt_job *job)
{
    if (job->rc == R_OK)
        return push_bytes(L, job->key, job->length);
    if (job->rc == R_INVALID)
        return bind_failure_text(L, "invalid", "crypto",
                                 "scrypt costs: n a power of two, r and p at least 1, at most "
                                 "256 MiB of memory");
    return bind_failure(L, job->rc, "crypto");
}

static void on_scrypt_done(void *owner)
{
    struct scrypt_job *job = owner;
    struct wait *wait = job->wait;
    lua_State *L = wait_lua(wait);
    int n = L ? push_scrypt(L, job) : 0;
    free_job(job);
    wait_finish(wait, n);
}

static uint32_t cost(lua_State *L, const char *field, double fallback)
{
    double value = bind_opt_number(L, 3, field, fallback);
    if (!(value >= 1 && value <= INT32_MAX && value == (double)(uint32_t)value))
        luaL_error(L, "option '%s' must be a positive integer", field);
    return (uint32_t)value;
}

static int l_scrypt(lua_State *L)
{
    struct offload *offload = lua_touserdata(L, lua_upvalueindex(1));
    struct slice password = bind_check_slice(L, 1), salt = bind_check_slice(L, 2);
    uint32_t n = cost(L, "n", 1 << 15), r = cost(L, "r", 8), p = cost(L, "p", 1);
    uint32_t length = cost(L, "length", 32);
    luaL_argcheck(L, length <= SCRYPT_LENGTH_MAX, 3, "length is at most 1024");

    struct wait *wait = wait_begin(L, "crypto");
    struct scrypt_job *job = mem_new(struct scrypt_job);
    *job = (struct scrypt_job){
        .wait = wait, .n = n, .r = r, .p = p, .length = length, .rc = R_CANCELLED};
    buf_append_slice(&job->password, password);
    buf_append_slice(&job->salt, salt);

    enum result rc = offload_run(offload, on_scrypt_work, on_scrypt_done, job);
    if (rc != R_OK) {
        free_job(job);
        wait_abandon(wait);
        return bind_failure(L, rc, "crypto");
    }
    return wait_yield(L, wait);
}

/* ---- small ones ---- */

static int l_random(lua_State *L)
{
    lua_Integer count = luaL_checkinteger(L, 1);
    luaL_argcheck(L, count >= 0 && count <= RANDOM_MAX_BYTES, 1, "0 to 1048576 bytes");
    struct buf *out = bind_scratch();
    crypto_random(buf_reserve(out, (size_t)count), (size_t)count);
    out->len = (size_t)count;
    return bind_push_scratch(L);
}

static int l_uuid(lua_State *L)
{
    char text[37];
    crypto_uuid(text);
    lua_pushlstring(L, text, 36);
    return 1;
}

static int l_equal(lua_State *L)
{
    lua_pushboolean(L, crypto_equal(bind_check_slice(L, 1), bind_check_slice(L, 2)));
    return 1;
}

static int encode(lua_State *L, void (*encoder)(struct slice data, struct buf *out))
{
    encoder(bind_check_slice(L, 1), bind_scratch());
    return bind_push_scratch(L);
}

static int decode(lua_State *L, bool (*decoder)(struct slice text, struct buf *out))
{
    if (decoder(bind_check_slice(L, 1), bind_scratch()))
        return bind_push_scratch(L);
    lua_pushnil(L);
    return 1;
}

static int l_hex(lua_State *L)
{
    return encode(L, encode_hex);
}

static int l_unhex(lua_State *L)
{
    return decode(L, decode_hex);
}

static int l_base64(lua_State *L)
{
    return encode(L, encode_base64);
}

static int l_unbase64(lua_State *L)
{
    return decode(L, decode_base64);
}

static int l_base64url(lua_State *L)
{
    return encode(L, encode_base64url);
}

static int l_unbase64url(lua_State *L)
{
    return decode(L, decode_base64url);
}

static const luaL_Reg functions[] = {
    {"sha256", l_sha256},
    {"md5", l_md5},
    {"hmac_sha256", l_hmac_sha256},
    {"hmac_sha1", l_hmac_sha1},
    {"ed25519_verify", l_ed25519_verify},
    {"seal", l_seal},
    {"open", l_open},
    {"key_id", l_key_id},
    {"scrypt", l_scrypt},
    {"random", l_random},
    {"uuid", l_uuid},
    {"equal", l_equal},
    {"hex", l_hex},
    {"unhex", l_unhex},
    {"base64", l_base64},
    {"unbase64", l_unbase64},
    {"base64url", l_base64url},
    {"unbase64url", l_unbase64url},
    {NULL, NULL},
};

void bind_crypto_open(lua_State *L, struct host *host)
{
    bind_module(L, functions, host->offload);
    if (!host->offload) {
        lua_pushnil(L);
        lua_setfield(L, -2, "scrypt");
    }
}
