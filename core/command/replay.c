/* replay.c: `fura replay`: what the sources on disk would answer to the requests of late, compared with what runs. */
#include "command/client.h"
#include "json.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *word, *member;
    bool is_number;
} options[] = {
    {"--last", "last", true},
    {"--route", "route", false},
    {"--driver", "driver", false},
    {"--limit", "limit", true},
};
enum { OPTIONS = sizeof options / sizeof *options };

static bool put_option(struct buf *request, const char *word, const char *value)
{
    unsigned i = 0, number = 0;

    while (i < OPTIONS && strcmp(options[i].word, word) != 0)
        i++;
    if (i == OPTIONS || !value)
        return false;
    if (!options[i].is_number)
        json_put_member(request, options[i].member, slice_cstr(value));
    else if (slice_to_unsigned(slice_cstr(value), 1000000, &number))
        json_put_integer(request, options[i].member, number);
    else
        return false;
    return true;
}

/* False: something typed makes no sense. */
static bool put_request(struct buf *request, const struct invocation *invocation)
{
    buf_append_slice(request, SLICE("{\"command\":\"replay\""));
    for (int i = 0; i < invocation->argc; i += 2) {
        const char *value = i + 1 < invocation->argc ? invocation->argv[i + 1] : NULL;
        if (!put_option(request, invocation->argv[i], value))
            return false;
    }
    buf_append_char(request, '}');
    return true;
}

int replay_run(const struct invocation *invocation)
{
    struct buf request = {0}, out = {0};
    struct slice last;
    int status = EXIT_USAGE;

    if (!put_request(&request, invocation)) {
        command_usage(invocation);
        goto done;
    }
    status = client_ask_aloud(invocation, buf_slice(&request), &out, &last);
    if (!invocation->json) {
        client_print_list(last, "lines", stdout);
        client_print_list(last, "problems", stderr);
    }
done:
    buf_free(&request);
    buf_free(&out);
    return status;
}
