/* crypto.h: the cryptography Fura uses, over OpenSSL 3. Besides TLS in net/ this is its only user.
 * Lengths are fixed by type; secrets are compared in constant time. */
#pragma once

#include "base/buf.h"
#include "base/result.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SHA256_BYTES = 32,
    SHA1_BYTES = 20,
    MD5_BYTES = 16,
    AEAD_KEY_BYTES = 32,
    ED25519_KEY_BYTES = 32,
    ED25519_SIGNATURE_BYTES = 64
};

void crypto_sha256(struct slice message, uint8_t out[SHA256_BYTES]);
void crypto_sha1(struct slice message, uint8_t out[SHA1_BYTES]); /* what Redis calls a script by */
void crypto_md5(struct slice message,
                uint8_t out[MD5_BYTES]); /* cache keys of the old system only */
void crypto_hmac_sha256(struct slice key, struct slice message, uint8_t out[SHA256_BYTES]);
/* One-time codes (RFC 6238): what authenticator apps compute. */
void crypto_hmac_sha1(struct slice key, struct slice message, uint8_t out[SHA1_BYTES]);
bool crypto_ed25519_verify(const uint8_t key[ED25519_KEY_BYTES], struct slice message,
                           const uint8_t signature[ED25519_SIGNATURE_BYTES]);

/* The 4 bytes by which a sealed value names its key. */
void crypto_key_id(const uint8_t key[AEAD_KEY_BYTES], uint8_t out[4]);

/* AES-256-GCM. Sealed form: 1 byte version (1), 4 bytes key id, 12 bytes nonce, ciphertext, 16 bytes tag. The key id
 * is the first 4 bytes of SHA-256 of the key, so that rotation finds the right one. `context` is authenticated but
 * not stored (what the secret is and whose). */
void crypto_seal(const uint8_t key[AEAD_KEY_BYTES], struct slice plain, struct slice context,
                 struct buf *out);
/* R_NOT_FOUND: sealed by a key that is not among `keys`; R_INVALID: damaged or not ours. */
enum result crypto_open(const uint8_t (*keys)[AEAD_KEY_BYTES], unsigned key_count,
                        struct slice sealed, struct slice context, struct buf *out);

/* Blocks for tens of milliseconds: call it on a helper thread (net/offload.h). R_INVALID for bad costs. */
enum result crypto_scrypt(struct slice password, struct slice salt, uint64_t n, uint32_t r,
                          uint32_t p, uint8_t *out, size_t out_len);

void crypto_random(void *out, size_t len);         /* the system's CSPRNG; dies if it cannot */
void crypto_uuid(char out[37]);                    /* random UUID v4, lower case */
bool crypto_equal(struct slice a, struct slice b); /* time depends on lengths only */

void encode_hex(struct slice data, struct buf *out);
void encode_base64(struct slice data, struct buf *out);
void encode_base64url(struct slice data, struct buf *out); /* no padding */
/* Strict: false on any stray byte, wrong padding or non-zero trailing bits; `out` then holds nothing new. */
bool decode_hex(struct slice text, struct buf *out);
bool decode_base64(struct slice text, struct buf *out);
bool decode_base64url(struct slice text, struct buf *out); /* refuses padding */

/* For `fura version`. */
const char *crypto_library(void);
