/* crypto.c: see crypto.h. Algorithms are fetched once and digest contexts kept per thread: OpenSSL
 * 3 looks up names and allocates on every convenience call, which costs several times the hashing
 * of a session token. */
#include "base/crypto.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

enum {
    SHA256_BLOCK_BYTES = 64,
    SEAL_VERSION = 1,
    KEY_ID_BYTES = 4,
    NONCE_BYTES = 12,
    TAG_BYTES = 16,
    SEAL_HEAD_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES,
    SCRYPT_MEMORY_MAX =
        256 << 20, /* more than this is a mistake in the costs, not a stronger password */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256, *sha1, *md5;
static EVP_CIPHER *aes_256_gcm;
static pthread_key_t digest_key;

/* A failure here means a broken OpenSSL or no memory: nothing later could be trusted. */
static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "crypto: %s failed\n", what);
    abort();
}

static void free_digest(void *context)
{
    EVP_MD_CTX_free(context);
}

static void fetch_algorithms(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    must(sha256 && sha1 && md5 && aes_256_gcm, "fetching SHA256, SHA1, MD5 and AES-256-GCM");
    must(pthread_key_create(&digest_key, free_digest) == 0, "making a thread key");
}

static EVP_MD_CTX *digest_context(void)
{
    pthread_once(&once, fetch_algorithms);
    EVP_MD_CTX *context = pthread_getspecific(digest_key);
    if (!context) {
        context = EVP_MD_CTX_new();
        must(context && pthread_setspecific(digest_key, context) == 0, "making a digest context");
    }
    return context;
}

/* The digest of `first` then `second`. */
static void digest(EVP_MD_CTX *context, const EVP_MD *kind, const struct slice parts[2],
                   uint8_t *out)
{
    must(EVP_DigestInit_ex2(context, kind, NULL) &&
             EVP_DigestUpdate(context, parts[0].data, parts[0].len) &&
             EVP_DigestUpdate(context, parts[1].data, parts[1].len) &&
             EVP_DigestFinal_ex(context, out, NULL),
         "hashing");
}

void crypto_sha256(struct slice message, uint8_t out[SHA256_BYTES])
{
    EVP_MD_CTX *context = digest_context();
    digest(context, sha256, (struct slice[2]){message}, out);
}

void crypto_sha1(struct slice message, uint8_t out[SHA1_BYTES])
{
    EVP_MD_CTX *context = digest_context();
    digest(context, sha1, (struct slice[2]){message}, out);
}

void crypto_md5(struct slice message, uint8_t out[MD5_BYTES])
{
    EVP_MD_CTX *context = digest_context();
    digest(context, md5, (struct slice[2]){message}, out);
}

static struct slice pad_key(char block[SHA256_BLOCK_BYTES], struct slice key, char pad)
{
    memset(block, pad, SHA256_BLOCK_BYTES);
    for (size_t i = 0; i < key.len; i++)
        block[i] = (char)(block[i] ^ key.data[i]);
    return slice_of(block, SHA256_BLOCK_BYTES);
}

/* RFC 2104 over the kept digest context: with a 200-byte message a third of the time of OpenSSL's
 * HMAC(), and unlike a kept EVP_MAC context it does not care how often the key changes. Both hashes
 * work in blocks of the same size. `fetched` is where the algorithm stands once there is a context. */
static void hmac(EVP_MD *const *fetched, size_t bytes, const struct slice of[2], uint8_t *out)
{
    EVP_MD_CTX *context = digest_context();
    const EVP_MD *kind = *fetched;
    struct slice key = of[0], message = of[1];
    char block[SHA256_BLOCK_BYTES];
    uint8_t short_key[SHA256_BYTES], inner[SHA256_BYTES];

    if (key.len > SHA256_BLOCK_BYTES) {
        digest(context, kind, (struct slice[2]){key}, short_key);
        key = slice_of((const char *)short_key, bytes);
    }
    digest(context, kind, (struct slice[2]){pad_key(block, key, 0x36), message}, inner);
    digest(context, kind,
           (struct slice[2]){pad_key(block, key, 0x5c), {(const char *)inner, bytes}}, out);
    OPENSSL_cleanse(block, sizeof block);
}

void crypto_hmac_sha256(struct slice key, struct slice message, uint8_t out[SHA256_BYTES])
{
    hmac(&sha256, SHA256_BYTES, (struct slice[2]){key, message}, out);
}

void crypto_hmac_sha1(struct slice key, struct slice message, uint8_t out[SHA1_BYTES])
{
    hmac(&sha1, SHA1_BYTES, (struct slice[2]){key, message}, out);
}

bool crypto_ed25519_verify(const uint8_t key[ED25519_KEY_BYTES], struct slice message,
                           const uint8_t signature[ED25519_SIGNATURE_BYTES])
{
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, ED25519_KEY_BYTES);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    must(context, "making a digest context");

    bool ok = public && EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) == 1 &&
              EVP_DigestVerify(context, signature, ED25519_SIGNATURE_BYTES,
                               (const uint8_t *)message.data, message.len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public);
    return ok;
}

void crypto_key_id(const uint8_t key[AEAD_KEY_BYTES], uint8_t out[4])
{
    uint8_t hash[SHA256_BYTES];
    crypto_sha256(slice_of((const char *)key, AEAD_KEY_BYTES), hash);
    memcpy(out, hash, KEY_ID_BYTES);
}

static EVP_CIPHER_CTX *cipher_context(void)
{
    pthread_once(&once, fetch_algorithms);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    must(context, "making a cipher context");
    return context;
}

void crypto_seal(const uint8_t key[AEAD_KEY_BYTES], struct slice plain, struct slice context,
                 struct buf *out)
{
    EVP_CIPHER_CTX *cipher = cipher_context();
    uint8_t *head = (uint8_t *)buf_reserve(out, SEAL_HEAD_BYTES + plain.len + TAG_BYTES);
    uint8_t *nonce = head + 1 + KEY_ID_BYTES, *body = head + SEAL_HEAD_BYTES;
    int len;

    head[0] = SEAL_VERSION;
    crypto_key_id(key, head + 1);
    crypto_random(nonce, NONCE_BYTES);
    must(plain.len <= INT32_MAX && context.len <= INT32_MAX &&
             EVP_EncryptInit_ex2(cipher, aes_256_gcm, key, nonce, NULL) &&
             EVP_EncryptUpdate(cipher, NULL, &len, (const uint8_t *)context.data,
                               (int)context.len) &&
             EVP_EncryptUpdate(cipher, body, &len, (const uint8_t *)plain.data, (int)plain.len) &&
             EVP_EncryptFinal_ex(cipher, body + plain.len, &len) &&
             EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, body + plain.len),
         "sealing");
    out->len += SEAL_HEAD_BYTES + plain.len + TAG_BYTES;
    EVP_CIPHER_CTX_free(cipher);
}

/* Room for the plain text is reserved in `out`; it counts only once the tag was found right. */
static bool open_with(const uint8_t key[AEAD_KEY_BYTES], struct slice sealed, struct slice context,
                      struct buf *out)
{
    EVP_CIPHER_CTX *cipher = cipher_context();
    const uint8_t *head = (const uint8_t *)sealed.data, *body = head + SEAL_HEAD_BYTES;
    size_t body_len = sealed.len - SEAL_HEAD_BYTES - TAG_BYTES;
    uint8_t tag[TAG_BYTES], *plain = (uint8_t *)buf_reserve(out, body_len);
    int len;

    memcpy(tag, body + body_len, TAG_BYTES);
    bool ok =
        EVP_DecryptInit_ex2(cipher, aes_256_gcm, key, head + 1 + KEY_ID_BYTES, NULL) &&
        EVP_DecryptUpdate(cipher, NULL, &len, (const uint8_t *)context.data, (int)context.len) &&
        EVP_DecryptUpdate(cipher, plain, &len, body, (int)body_len) &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) &&
        EVP_DecryptFinal_ex(cipher, plain + body_len, &len);
    if (ok)
        out->len += body_len;
    else
        OPENSSL_cleanse(plain, body_len);
    EVP_CIPHER_CTX_free(cipher);
    return ok;
}

enum result crypto_open(const uint8_t (*keys)[AEAD_KEY_BYTES], unsigned key_count,
                        struct slice sealed, struct slice context, struct buf *out)
{
    enum result rc = R_NOT_FOUND;

    if (sealed.len < SEAL_HEAD_BYTES + TAG_BYTES || sealed.len > INT32_MAX ||
        context.len > INT32_MAX || sealed.data[0] != SEAL_VERSION)
        return R_INVALID;
    for (unsigned i = 0; i < key_count && rc != R_OK; i++) {
        uint8_t id[KEY_ID_BYTES];
        crypto_key_id(keys[i], id);
        if (memcmp(id, sealed.data + 1, KEY_ID_BYTES) == 0)
            rc = open_with(keys[i], sealed, context, out) ? R_OK : R_INVALID;
    }
    return rc;
}

enum result crypto_scrypt(struct slice password, struct slice salt, uint64_t n, uint32_t r,
                          uint32_t p, uint8_t *out, size_t out_len)
{
    if (n < 2 || (n & (n - 1)) != 0 || r < 1 || p < 1 || out_len < 1)
        return R_INVALID;
    if (n > SCRYPT_MEMORY_MAX || r > 1024 || p > 1024 || 128 * n * r > SCRYPT_MEMORY_MAX)
        return R_INVALID;
    /* What OpenSSL counts: V, B and the scratch block. */
    uint64_t memory = 128 * (uint64_t)r * (n + p + 2) + 1024;
    return EVP_PBE_scrypt(password.data ? password.data : "", password.len,
                          (const uint8_t *)(salt.data ? salt.data : ""), salt.len, n, r, p, memory,
                          out, out_len)
               ? R_OK
               : R_INVALID;
}

/* Straight from the kernel: nothing to seed, and nothing shared between processes after fork. */
void crypto_random(void *out, size_t len)
{
    char *next = out;
    while (len > 0) {
        ssize_t got = getrandom(next, len, 0);
        must(got > 0 || (got < 0 && errno == EINTR), "getrandom");
        if (got > 0) {
            next += got;
            len -= (size_t)got;
        }
    }
}

void crypto_uuid(char out[37])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[16];
    char *next = out;

    crypto_random(bytes, sizeof bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    for (unsigned i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *next++ = '-';
        *next++ = digits[bytes[i] >> 4];
        *next++ = digits[bytes[i] & 15];
    }
    *next = '\0';
}

bool crypto_equal(struct slice a, struct slice b)
{
    return a.len == b.len && CRYPTO_memcmp(a.data, b.data, a.len) == 0;
}

const char *crypto_library(void)
{
    return OpenSSL_version(OPENSSL_VERSION_STRING);
}
