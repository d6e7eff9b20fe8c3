/* tls.h: TLS of accepted connections on non-blocking descriptors: at least TLS 1.2, ALPN http/1.1, sessions resumed
 * by tickets. Making a context makes the process ignore SIGPIPE: OpenSSL writes with write(). */
#pragma once

#include "base/result.h"
#include "base/slice.h"

#include <stddef.h>
#include <sys/types.h>

struct tls_context;
struct tls;

struct tls_config {
    const char *cert_path; /* PEM, the whole chain */
    const char *key_path;  /* PEM */
    /* At least 32 random bytes, the same in all workers, so that each can resume what another began. Empty: each
     * context has keys of its own. */
    struct slice ticket_secret;
};

/* R_INVALID with words when a file cannot be used or key and certificate do not belong together. */
enum result tls_context_new(const struct tls_config *config, struct tls_context **out,
                            struct failure *why);
/* New connections use the new files; on failure all stays as it was. */
enum result tls_context_reload(struct tls_context *context, const struct tls_config *config,
                               struct failure *why);
void tls_context_free(struct tls_context *context); /* NULL is fine */

/* The descriptor stays the caller's. */
struct tls *tls_new(struct tls_context *context, int fd);
void tls_free(struct tls *tls); /* NULL is fine */

enum tls_handshake {
    TLS_SERVER_DONE,
    TLS_SERVER_WANTS_READ,
    TLS_SERVER_WANTS_WRITE,
    TLS_SERVER_FAILED,
};
enum tls_handshake tls_handshake(struct tls *tls);

/* Like recv() and send(): -1 with errno EAGAIN when it would block, 0 when the peer has finished in good order; a
 * connection cut short is ECONNRESET. */
ssize_t tls_read(struct tls *tls, void *data, size_t len);
ssize_t tls_write(struct tls *tls, const void *data, size_t len);
/* Tell the peer that nothing will follow; does not wait for its answer. */
void tls_shutdown(struct tls *tls);
