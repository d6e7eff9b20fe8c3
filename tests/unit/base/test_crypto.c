/* Published vectors for every primitive, and what sealing promises when something is wrong. */
#include "base/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct buf from_hex(const char *hex)
{
    struct buf out = {0};
    assert_true(decode_hex(slice_cstr(hex), &out));
    return out;
}

static void assert_hex(const void *data, size_t len, const char *expected)
{
    struct buf hex = {0};
    encode_hex(slice_of(data, len), &hex);
    assert_string_equal(buf_cstr(&hex), expected);
    buf_free(&hex);
}

static void sha256_and_md5_match_published_digests(void **state)
{
    (void)state;
    uint8_t out[SHA256_BYTES];

    crypto_sha256(SLICE(""), out);
    assert_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    crypto_sha256(SLICE("abc"), out); /* FIPS 180-4 */
    assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_sha256(SLICE("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), out);
    assert_hex(out, 32, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    crypto_md5(SLICE("abc"), out); /* RFC 1321 */
    assert_hex(out, 16, "900150983cd24fb0d6963f7d28e17f72");
    crypto_md5((struct slice){NULL, 0}, out);
    assert_hex(out, 16, "d41d8cd98f00b204e9800998ecf8427e");
}

static void hmac_sha256_matches_rfc_4231(void **state)
{
    (void)state;
    static const struct {
        const char *key, *message, *mac;
    } vectors[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
         "dddddddddddddddddddddddddddddddddddd",
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {"0102030405060708090a0b0c0d0e0f10111213141516171819",
         "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
         "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    };

    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct buf key = from_hex(vectors[i].key), message = from_hex(vectors[i].message);
        uint8_t out[SHA256_BYTES];
        crypto_hmac_sha256(buf_slice(&key), buf_slice(&message), out);
        assert_hex(out, sizeof out, vectors[i].mac);
        buf_free(&key);
        buf_free(&message);
    }
}

static void hmac_sha256_hashes_a_key_longer_than_a_block(void **state)
{
    (void)state;
    char key[131];
    uint8_t out[SHA256_BYTES];

    memset(key, 0xaa, sizeof key);
    crypto_hmac_sha256(slice_of(key, sizeof key),
                       SLICE("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    assert_hex(out, sizeof out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    crypto_hmac_sha256((struct slice){NULL, 0}, (struct slice){NULL, 0}, out);
    assert_hex(out, sizeof out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void hmac_sha1_matches_rfc_2202(void **state)
{
    (void)state;
    char key[80];
    uint8_t out[SHA1_BYTES];

    crypto_hmac_sha1(SLICE("Jefe"), SLICE("what do ya want for nothing?"), out);
    assert_hex(out, sizeof out, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    memset(key, 0xaa, sizeof key);
    crypto_hmac_sha1(slice_of(key, sizeof key),
                     SLICE("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    assert_hex(out, sizeof out, "aa4ae5e15272d00e95705637ce8a3b55ed402112");
}

static bool verify(const char *key_hex, const char *message_hex, const char *signature_hex)
{
    struct buf key = from_hex(key_hex), message = from_hex(message_hex);
    struct buf signature = from_hex(signature_hex);
    bool ok = crypto_ed25519_verify((const uint8_t *)key.data, buf_slice(&message),
                                    (const uint8_t *)signature.data);
    buf_free(&key);
    buf_free(&message);
    buf_free(&signature);
    return ok;
}

#define RFC8032_KEY_2 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
#define RFC8032_SIGNATURE_2                                                                        \
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"                             \
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"

static void ed25519_accepts_rfc_8032_signatures_only(void **state)
{
    (void)state;
    assert_true(verify("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
                       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                       "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"));
    assert_true(verify(RFC8032_KEY_2, "72", RFC8032_SIGNATURE_2));
    assert_false(verify(RFC8032_KEY_2, "73", RFC8032_SIGNATURE_2));
    assert_false(verify("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "72",
                        RFC8032_SIGNATURE_2));
}

static void scrypt_matches_rfc_7914(void **state)
{
    (void)state;
    uint8_t out[64];

    assert_int_equal(crypto_scrypt(SLICE(""), SLICE(""), 16, 1, 1, out, sizeof out), R_OK);
    assert_hex(out, sizeof out,
               "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
               "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
    assert_int_equal(crypto_scrypt(SLICE("password"), SLICE("NaCl"), 1024, 8, 16, out, sizeof out),
                     R_OK);
    assert_hex(out, sizeof out,
               "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
               "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640");
    assert_int_equal(crypto_scrypt(SLICE("pleaseletmein"), SLICE("SodiumChloride"), 16384, 8, 1,
                                   out, sizeof out),
                     R_OK);
    assert_hex(out, sizeof out,
               "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
               "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887");
}

static void scrypt_takes_the_default_password_costs(void **state)
{
    (void)state;
    uint8_t out[32];
    assert_int_equal(crypto_scrypt(SLICE("p"), SLICE("s"), 1 << 15, 8, 1, out, sizeof out), R_OK);
}

static void scrypt_refuses_bad_costs(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        uint32_t r, p;
    } bad[] = {{0, 8, 1},        {1, 8, 1},         {1000, 8, 1},  {1024, 0, 1},
               {1024, 8, 0},     {1u << 20, 64, 1}, {16, 1, 5000}, {UINT64_C(1) << 63, 1, 1},
               {16, 1u << 31, 1}};
    uint8_t out[32];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(
            crypto_scrypt(SLICE("p"), SLICE("s"), bad[i].n, bad[i].r, bad[i].p, out, sizeof out),
            R_INVALID);
    assert_int_equal(crypto_scrypt(SLICE("p"), SLICE("s"), 16, 1, 1, out, 0), R_INVALID);
}

static const uint8_t keys[2][AEAD_KEY_BYTES] = {{1, 2, 3}, {4, 5, 6}};

static void a_sealed_secret_opens_with_its_key_and_context(void **state)
{
    (void)state;
    struct buf sealed = {0}, plain = {0};

    buf_append(&sealed, "kept", 4);
    crypto_seal(keys[1], SLICE("shop secret"), SLICE("setting:yookassa"), &sealed);
    struct slice value = slice_from(buf_slice(&sealed), 4);
    assert_int_equal(value.len, 1 + 4 + 12 + 11 + 16);
    assert_int_equal(crypto_open(keys, 2, value, SLICE("setting:yookassa"), &plain), R_OK);
    assert_string_equal(buf_cstr(&plain), "shop secret");
    buf_free(&sealed);
    buf_free(&plain);
}

static void an_empty_secret_can_be_sealed(void **state)
{
    (void)state;
    struct buf sealed = {0}, plain = {0};

    crypto_seal(keys[0], SLICE(""), (struct slice){NULL, 0}, &sealed);
    assert_int_equal(crypto_open(keys, 1, buf_slice(&sealed), (struct slice){NULL, 0}, &plain),
                     R_OK);
    assert_int_equal(plain.len, 0);
    buf_free(&sealed);
    buf_free(&plain);
}

static void sealing_twice_never_gives_the_same_bytes(void **state)
{
    (void)state;
    struct buf first = {0}, second = {0};

    crypto_seal(keys[0], SLICE("x"), SLICE(""), &first);
    crypto_seal(keys[0], SLICE("x"), SLICE(""), &second);
    assert_memory_equal(first.data, second.data, 5); /* version and key id */
    assert_memory_not_equal(first.data + 5, second.data + 5, 12);
    buf_free(&first);
    buf_free(&second);
}

static void a_secret_of_a_forgotten_key_is_told_apart_from_a_damaged_one(void **state)
{
    (void)state;
    struct buf sealed = {0}, plain = {0};

    buf_append(&plain, "kept", 4);
    crypto_seal(keys[1], SLICE("secret"), SLICE("who"), &sealed);
    assert_int_equal(crypto_open(keys, 1, buf_slice(&sealed), SLICE("who"), &plain), R_NOT_FOUND);
    assert_int_equal(crypto_open(keys, 0, buf_slice(&sealed), SLICE("who"), &plain), R_NOT_FOUND);
    assert_int_equal(crypto_open(keys, 2, buf_slice(&sealed), SLICE("whose"), &plain), R_INVALID);
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.data[i] ^= 1;
        bool in_key_id = i >= 1 && i < 5;
        assert_int_equal(crypto_open(keys, 2, buf_slice(&sealed), SLICE("who"), &plain),
                         in_key_id ? R_NOT_FOUND : R_INVALID);
        sealed.data[i] ^= 1;
    }
    for (size_t len = 0; len < sealed.len; len++)
        assert_int_equal(crypto_open(keys, 2, slice_of(sealed.data, len), SLICE("who"), &plain),
                         R_INVALID);
    assert_string_equal(buf_cstr(&plain), "kept");
    buf_free(&sealed);
    buf_free(&plain);
}

/* NIST GCM test case 16 (256-bit key, 60 bytes, 20 bytes of additional data), put into our sealed
 * form. */
static void aes_256_gcm_matches_the_nist_vector(void **state)
{
    (void)state;
    struct buf key = from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    struct buf context = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    struct buf rest = from_hex("cafebabefacedbaddecaf888"
                               "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                               "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                               "76fc6ece0f4e1768cddf8853bb2d551b");
    struct buf sealed = {0}, plain = {0};
    uint8_t id[4];

    crypto_key_id((const uint8_t *)key.data, id);
    buf_append_char(&sealed, 1);
    buf_append(&sealed, id, sizeof id);
    buf_append_slice(&sealed, buf_slice(&rest));
    assert_int_equal(crypto_open((const uint8_t(*)[AEAD_KEY_BYTES])(const void *)key.data, 1,
                                 buf_slice(&sealed), buf_slice(&context), &plain),
                     R_OK);
    assert_hex(plain.data, plain.len,
               "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
               "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
    buf_free(&key);
    buf_free(&context);
    buf_free(&rest);
    buf_free(&sealed);
    buf_free(&plain);
}

static void a_uuid_is_random_and_of_version_4(void **state)
{
    (void)state;
    char first[37], second[37];

    crypto_uuid(first);
    crypto_uuid(second);
    assert_string_not_equal(first, second);
    assert_int_equal(strlen(first), 36);
    assert_int_equal(first[14], '4');
    assert_non_null(strchr("89ab", first[19]));
    for (unsigned i = 0; i < 36; i++)
        assert_true(i == 8 || i == 13 || i == 18 || i == 23
                        ? first[i] == '-'
                        : strchr("0123456789abcdef", first[i]) != NULL);
}

static void equal_compares_whole_values(void **state)
{
    (void)state;
    assert_true(crypto_equal(SLICE("token"), SLICE("token")));
    assert_true(crypto_equal(SLICE(""), (struct slice){NULL, 0}));
    assert_false(crypto_equal(SLICE("token"), SLICE("tokem")));
    assert_false(crypto_equal(SLICE("token"), SLICE("toke")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_and_md5_match_published_digests),
        cmocka_unit_test(hmac_sha256_matches_rfc_4231),
        cmocka_unit_test(hmac_sha256_hashes_a_key_longer_than_a_block),
        cmocka_unit_test(hmac_sha1_matches_rfc_2202),
        cmocka_unit_test(ed25519_accepts_rfc_8032_signatures_only),
        cmocka_unit_test(scrypt_matches_rfc_7914),
        cmocka_unit_test(scrypt_takes_the_default_password_costs),
        cmocka_unit_test(scrypt_refuses_bad_costs),
        cmocka_unit_test(a_sealed_secret_opens_with_its_key_and_context),
        cmocka_unit_test(an_empty_secret_can_be_sealed),
        cmocka_unit_test(sealing_twice_never_gives_the_same_bytes),
        cmocka_unit_test(a_secret_of_a_forgotten_key_is_told_apart_from_a_damaged_one),
        cmocka_unit_test(aes_256_gcm_matches_the_nist_vector),
        cmocka_unit_test(a_uuid_is_random_and_of_version_4),
        cmocka_unit_test(equal_compares_whole_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
