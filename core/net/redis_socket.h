/* redis_socket.h: the byte stream under a connection: a name or path is resolved, connected and,
 * over TLS, verified; then it reads and writes without blocking. Plain and TLS look the same above.
 */
#pragma once

#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct redis_conn_spec;
struct redis_endpoint;
struct redis_socket;

/* None runs before redis_socket_open() returned; each may close the socket. */
struct redis_socket_events {
    void (*connected)(void *owner);
    void (*failed)(void *owner, const struct failure *why); /* instead of `connected` */
    /* Afterwards, whenever bytes came, or room for those that REDIS_SOCKET_AGAIN refused. */
    void (*ready)(void *owner, bool writable);
};

struct redis_socket *redis_socket_open(const struct redis_conn_spec *spec,
                                       const struct redis_endpoint *endpoint, unsigned turn,
                                       const struct redis_socket_events *events, void *owner);
void redis_socket_close(struct redis_socket *socket); /* NULL is fine */

/* A count of bytes, 0 at the end of the stream, or one of these. */
enum { REDIS_SOCKET_AGAIN = -1, REDIS_SOCKET_FAILED = -2 };
ssize_t redis_socket_read(struct redis_socket *socket, void *data, size_t len);
ssize_t redis_socket_write(struct redis_socket *socket, const void *data, size_t len);
const char *redis_socket_error(const struct redis_socket *socket);

/* A read of `got` bytes into `room` has taken all there was, so that the next one would be in vain.
 */
bool redis_socket_is_drained(const struct redis_socket *socket, size_t got, size_t room);
