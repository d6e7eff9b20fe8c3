/* client.c: see client.h. */
#include "command/client.h"
#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 * 1024 * 1024 };

static int connect_to(const char *path, struct failure *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    if (len >= sizeof address.sun_path) {
        fail(why, R_INVALID, "the path of the control socket is too long: %s", path);
        return -1;
    }
    memcpy(address.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (errno == ENOENT || errno == ECONNREFUSED)
        fail(why, R_UNAVAILABLE,
             "no server is running here (nothing answers at %s): start one with `fura serve`",
             path);
    else
        fail(why, R_UNAVAILABLE, "cannot reach the server at %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool send_all(int fd, struct slice text)
{
    while (text.len > 0) {
        ssize_t n = send(fd, text.data, text.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return false;
        text = slice_from(text, n > 0 ? (size_t)n : 0);
    }
    return true;
}

static void receive_all(int fd, struct buf *out)
{
    ssize_t n = 1;
    while (n != 0 && out->len < ANSWER_MAX) {
        char *space = buf_reserve(out, 65536);
        n = recv(fd, space, 65536, 0);
        if (n < 0 && errno != EINTR)
            return;
        out->len += n > 0 ? (size_t)n : 0;
    }
}

bool client_exchange(const char *path, struct slice request, struct buf *out, struct failure *why)
{
    int fd = connect_to(path, why);
    if (fd < 0)
        return false;
    bool sent = send_all(fd, request) && send_all(fd, SLICE("\n"));
    if (sent)
        receive_all(fd, out);
    close(fd);
    if (out->len == 0)
        fail(why, R_CLOSED,
             "the server at %s closed the connection without an answer (only its owner and root "
             "may ask)",
             path);
    return out->len > 0;
}

bool client_path(const struct conf *conf, struct buf *path)
{
    const char *address = conf_string(conf, "admin_listen");
    if (!address || strncmp(address, "unix:", 5) != 0)
        return false;
    buf_append_slice(path, slice_cstr(address + 5));
    return true;
}

/* Settings that are broken now must not keep anybody from asking the server that runs: `problems` are for when it is not
 * found. */
static bool find_path(const struct invocation *invocation, struct buf *path, struct buf *problems)
{
    const char *address = getenv("FURA_ADMIN_LISTEN");
    if (address && strncmp(address, "unix:", 5) == 0) {
        buf_append_slice(path, slice_cstr(address + 5));
        return true;
    }
    struct conf *conf;
    conf_load_what_is_sound(&invocation->source, &conf, problems);
    bool found = conf && client_path(conf, path);
    conf_free(conf);
    return found;
}

bool client_next_line(struct slice *lines, struct slice *line)
{
    const char *newline = lines->len ? memchr(lines->data, '\n', lines->len) : NULL;
    if (!newline)
        return false;
    *line = slice_of(lines->data, (size_t)(newline - lines->data));
    *lines = slice_from(*lines, line->len + 1);
    return true;
}

int client_ask(const struct invocation *invocation, struct slice request, struct buf *out,
               struct slice *last)
{
    struct buf path = {0}, error = {0}, problems = {0};
    struct failure why = {.rc = R_OK};
    struct slice rest, line;
    int status = EXIT_REFUSED;

    *last = SLICE("{}");
    bool found = find_path(invocation, &path, &problems);
    if (!found || !client_exchange(buf_cstr(&path), request, out, &why)) {
        fprintf(stderr, "%s", buf_cstr(&problems));
        if (found)
            fprintf(stderr, "fura: %s\n", why.text);
        goto done;
    }
    rest = buf_slice(out);
    while (client_next_line(&rest, &line))
        if (json_valid(line))
            *last = line;
    if (json_find_bool(*last, "ok", false))
        status = EXIT_OK;
    else if (json_find_text(*last, "error", &error) && !invocation->json)
        fprintf(stderr, "fura: %s\n", buf_cstr(&error));
done:
    if (invocation->json && out->len == 0) /* stderr says why */
        buf_append_slice(out, SLICE("{\"ok\":false,\"error\":\"no_answer\"}\n"));
    buf_free(&path);
    buf_free(&error);
    buf_free(&problems);
    return status;
}

int client_ask_aloud(const struct invocation *invocation, struct slice request, struct buf *out,
                     struct slice *last)
{
    int status = client_ask(invocation, request, out, last);
    if (invocation->json)
        fwrite(out->data, 1, out->len, stdout);
    fflush(stdout);
    return status;
}

void client_print_list(struct slice object, const char *name, FILE *out)
{
    struct slice list, item;
    size_t at = 0;

    if (!json_find(object, name, &list))
        return;
    while (json_next(list, &at, &item)) {
        struct buf text = {0};
        json_text(item, &text);
        fprintf(out, "%s\n", buf_cstr(&text));
        buf_free(&text);
    }
}
