/* http_floor.c: the HTTP server alone with one fixed answer: what the core costs before any script runs. Prints its
 * port and serves until it is ended; see http_floor.sh. */
#include "net/http.h"
#include "net/listener.h"
#include "net/loop.h"

#include <signal.h>
#include <stdio.h>

static void on_request(void *owner, struct http_request *req)
{
    static const struct http_header type = {{"Content-Type", 12}, {"text/plain", 10}};
    (void)owner;
    http_reply(req, &(struct http_answer){
                        .status = 200, .headers = &type, .header_count = 1, .body = SLICE("ok\n")});
    http_release(req);
}

static void on_signal(void *owner, int number)
{
    (void)number;
    loop_stop(owner);
}

int main(void)
{
    static const struct http_limits limits = {
        .max_url_bytes = 8192,
        .max_header_bytes = 32768,
        .max_headers = 100,
        .max_body_bytes = 1048576,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 30000,
        .idle_timeout_ms = 75000,
        .write_timeout_ms = 30000,
        .max_connections = 20000,
    };
    struct listen_address address;
    struct failure why;
    unsigned count;
    int fd;
    if (listener_parse("127.0.0.1:0", &address, 1, &count, &why) != R_OK ||
        listener_open(&address, &fd, &why) != R_OK) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    struct loop *loop = loop_new();
    struct http_callbacks callbacks = {.on_request = on_request};
    struct http_server *server = http_server_new(loop, &limits, &callbacks);
    loop_on_signal(loop, SIGTERM, on_signal, loop);
    http_listen(server, fd, 0, NULL);
    printf("%d\n", listener_port(fd));
    fflush(stdout);
    loop_run(loop);
    http_server_free(server);
    loop_free(loop);
    return 0;
}
