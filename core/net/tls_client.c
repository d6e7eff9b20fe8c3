/* tls_client.c: see tls_client.h. */
#include "net/tls_client.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_client {
    SSL_CTX *context;
};

struct tls_stream {
    SSL *ssl;
    char error[200];
};

enum result tls_client_new(const char *ca_file, struct tls_client **out, struct failure *why)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    int ok = ca_file ? SSL_CTX_load_verify_file(context, ca_file)
                     : SSL_CTX_set_default_verify_paths(context);
    ERR_clear_error();
    if (!ok) {
        SSL_CTX_free(context);
        return fail(why, R_INVALID, "cannot read trusted certificates from %s",
                    ca_file ? ca_file : "the system's folder");
    }
    *out = mem_new(struct tls_client);
    (*out)->context = context;
    return R_OK;
}

void tls_client_free(struct tls_client *client)
{
    if (!client)
        return;
    SSL_CTX_free(client->context);
    free(client);
}

static bool is_ip(const char *host)
{
    unsigned char scratch[16];
    return inet_pton(AF_INET, host, scratch) == 1 || inet_pton(AF_INET6, host, scratch) == 1;
}

struct tls_stream *tls_stream_new(struct tls_client *client, int fd, const char *host)
{
    struct tls_stream *stream = mem_new(struct tls_stream);
    stream->ssl = SSL_new(client->context);
    SSL_set_fd(stream->ssl, fd);
    SSL_set_connect_state(stream->ssl);
    if (is_ip(host)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(stream->ssl), host);
    } else {
        SSL_set_tlsext_host_name(stream->ssl, host);
        SSL_set1_host(stream->ssl, host);
    }
    return stream;
}

void tls_stream_free(struct tls_stream *stream)
{
    if (!stream)
        return;
    SSL_free(stream->ssl);
    free(stream);
}

static void explain(struct tls_stream *stream, int saved_errno)
{
    long verdict = SSL_get_verify_result(stream->ssl);
    unsigned long code = ERR_peek_last_error();
    const char *text = "the connection ended";
    if (verdict != X509_V_OK)
        text = X509_verify_cert_error_string(verdict);
    else if (code != 0)
        text = ERR_reason_error_string(code);
    else if (saved_errno != 0)
        text = strerror(saved_errno);
    snprintf(stream->error, sizeof stream->error, "%s", text ? text : "unknown TLS error");
    ERR_clear_error();
}

/* Translate what OpenSSL answered to one of the TLS_* values, or 0 for an orderly end. */
static int outcome(struct tls_stream *stream, int answer)
{
    int saved_errno = errno;
    switch (SSL_get_error(stream->ssl, answer)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        explain(stream, saved_errno);
        return TLS_FAILED;
    }
}

int tls_stream_handshake(struct tls_stream *stream)
{
    ERR_clear_error();
    int answer = SSL_do_handshake(stream->ssl);
    if (answer == 1)
        return TLS_DONE;
    int what = outcome(stream, answer);
    if (what == 0)
        explain(stream, 0);
    return what == 0 ? TLS_FAILED : what;
}

ssize_t tls_stream_read(struct tls_stream *stream, void *data, size_t len)
{
    size_t done = 0;
    ERR_clear_error();
    int answer = SSL_read_ex(stream->ssl, data, len, &done);
    return answer == 1 ? (ssize_t)done : outcome(stream, answer);
}

ssize_t tls_stream_write(struct tls_stream *stream, const void *data, size_t len)
{
    size_t done = 0;
    ERR_clear_error();
    int answer = SSL_write_ex(stream->ssl, data, len, &done);
    return answer == 1 ? (ssize_t)done : outcome(stream, answer);
}

const char *tls_stream_error(const struct tls_stream *stream)
{
    return stream->error;
}
