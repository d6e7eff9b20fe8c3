/* tls.c: see tls.h. */
#include "net/tls.h"
#include "base/crypto.h"
#include "base/mem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>

/* OpenSSL 3 takes 80 bytes: a name of 16, an HMAC key and an AES key of 32 each. */
enum { TICKET_KEY_BYTES = 80 };

struct tls_context {
    SSL_CTX *context;
};

struct tls {
    SSL *ssl;
};

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl, (void)arg;
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static void set_ticket_keys(SSL_CTX *context, struct slice secret)
{
    static const char *const labels[] = {"fura ticket 0", "fura ticket 1", "fura ticket 2"};
    uint8_t keys[3 * SHA256_BYTES];
    if (secret.len == 0)
        return;
    for (size_t i = 0; i < 3; i++)
        crypto_hmac_sha256(secret, slice_cstr(labels[i]), keys + i * SHA256_BYTES);
    SSL_CTX_set_tlsext_ticket_keys(context, keys, TICKET_KEY_BYTES);
    OPENSSL_cleanse(keys, sizeof keys);
}

static SSL_CTX *new_context(void)
{
    static const unsigned char session_id[] = "fura";
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets only: no memory here */
    SSL_CTX_set_session_id_context(context, session_id, sizeof session_id - 1);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
    return context;
}

static enum result load(const struct tls_config *config, SSL_CTX **out, struct failure *why)
{
    SSL_CTX *context = new_context();
    enum result rc = R_OK;
    if (SSL_CTX_use_certificate_chain_file(context, config->cert_path) != 1)
        rc = fail(why, R_INVALID, "cannot use the certificate in %s", config->cert_path);
    else if (SSL_CTX_use_PrivateKey_file(context, config->key_path, SSL_FILETYPE_PEM) != 1)
        rc = fail(why, R_INVALID, "cannot use the key in %s (or it is of another certificate)",
                  config->key_path);
    else if (SSL_CTX_check_private_key(context) != 1)
        rc = fail(why, R_INVALID, "the key in %s does not belong to the certificate in %s",
                  config->key_path, config->cert_path);
    ERR_clear_error();
    if (rc != R_OK) {
        SSL_CTX_free(context);
        return rc;
    }
    set_ticket_keys(context, config->ticket_secret);
    *out = context;
    return R_OK;
}

enum result tls_context_new(const struct tls_config *config, struct tls_context **out,
                            struct failure *why)
{
    SSL_CTX *loaded;
    enum result rc = load(config, &loaded, why);
    if (rc != R_OK)
        return rc;
    signal(SIGPIPE, SIG_IGN);
    *out = mem_new(struct tls_context);
    (*out)->context = loaded;
    return R_OK;
}

enum result tls_context_reload(struct tls_context *context, const struct tls_config *config,
                               struct failure *why)
{
    SSL_CTX *loaded;
    enum result rc = load(config, &loaded, why);
    if (rc != R_OK)
        return rc;
    SSL_CTX_free(context->context); /* connections hold references of their own */
    context->context = loaded;
    return R_OK;
}

void tls_context_free(struct tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->context);
    free(context);
}

struct tls *tls_new(struct tls_context *context, int fd)
{
    struct tls *tls = mem_new(struct tls);
    tls->ssl = SSL_new(context->context);
    SSL_set_fd(tls->ssl, fd);
    SSL_set_accept_state(tls->ssl);
    return tls;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    free(tls);
}

enum tls_handshake tls_handshake(struct tls *tls)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(tls->ssl);
    if (rc == 1)
        return TLS_SERVER_DONE;
    switch (SSL_get_error(tls->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return TLS_SERVER_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_SERVER_WANTS_WRITE;
    default:
        return TLS_SERVER_FAILED;
    }
}

static ssize_t explain(struct tls *tls, int rc)
{
    int error = SSL_get_error(tls->ssl, rc);
    ERR_clear_error();
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    return -1;
}

ssize_t tls_read(struct tls *tls, void *data, size_t len)
{
    size_t got;
    ERR_clear_error();
    int rc = SSL_read_ex(tls->ssl, data, len, &got);
    return rc == 1 ? (ssize_t)got : explain(tls, rc);
}

ssize_t tls_write(struct tls *tls, const void *data, size_t len)
{
    size_t put;
    ERR_clear_error();
    int rc = SSL_write_ex(tls->ssl, data, len, &put);
    if (rc == 1)
        return (ssize_t)put;
    if (explain(tls, rc) == 0)
        errno = ECONNRESET;
    return -1;
}

void tls_shutdown(struct tls *tls)
{
    ERR_clear_error();
    SSL_shutdown(tls->ssl);
    ERR_clear_error();
}
