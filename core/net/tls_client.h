/* tls_client.h: TLS for outgoing connections on a non-blocking descriptor. Certificates and host
 * names are always verified. The process must ignore SIGPIPE: OpenSSL writes with write(). */
#pragma once

#include "base/result.h"

#include <stddef.h>
#include <sys/types.h>

struct tls_client; /* what to trust; shared by many streams */
struct tls_stream; /* one connection */

/* `ca_file` NULL means the system's roots. R_INVALID with words when the file cannot be used. */
enum result tls_client_new(const char *ca_file, struct tls_client **out, struct failure *why);
void tls_client_free(struct tls_client *client); /* NULL is fine */

/* `host` is the name or IP literal that the certificate must carry. The descriptor stays the
 * caller's. */
struct tls_stream *tls_stream_new(struct tls_client *client, int fd, const char *host);
void tls_stream_free(struct tls_stream *stream); /* NULL is fine */

/* The last three are negative, so that they share a return value with a count of bytes; 0 bytes is
 * the end. */
enum { TLS_DONE = 1, TLS_WANT_READ = -1, TLS_WANT_WRITE = -2, TLS_FAILED = -3 };
int tls_stream_handshake(struct tls_stream *stream);
ssize_t tls_stream_read(struct tls_stream *stream, void *data, size_t len);
ssize_t tls_stream_write(struct tls_stream *stream, const void *data, size_t len);
/* Why TLS_FAILED, in words. */
const char *tls_stream_error(const struct tls_stream *stream);
