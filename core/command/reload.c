/* reload.c: `fura reload`: everything at once, or a canary first, and what becomes of it. */
#include "command/client.h"
#include "json.h"
#include "base/share.h"

#include <stdio.h>
#include <stdlib.h>

struct wish {
    const char *share, *length; /* NULL: not given */
    bool wait, promote, withdraw;
};

/* ---- options ---- */

/* «90», «90s», «5m», «1h» in seconds; 0 when it is none of them. */
static long parse_length(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);
    long unit = *end == 'm' ? 60 : *end == 'h' ? 3600 : *end == 's' || *end == '\0' ? 1 : 0;
    if (end == text || value < 0 || value > 24L * 3600 || (*end && end[1]))
        return 0;
    return value * unit <= 24L * 3600 ? value * unit : 0;
}

static bool take_value(char **words, int count, int *at, const char **out)
{
    if (*at + 1 >= count)
        return false;
    *out = words[++*at];
    return true;
}

static bool read_options(const struct invocation *invocation, struct wish *wish)
{
    for (int i = 0; i < invocation->argc; i++) {
        const char *word = invocation->argv[i];
        bool ok = true;
        if (strcmp(word, "--canary") == 0)
            ok = take_value(invocation->argv, invocation->argc, &i, &wish->share);
        else if (strcmp(word, "--for") == 0)
            ok = take_value(invocation->argv, invocation->argc, &i, &wish->length);
        else if (strcmp(word, "--wait") == 0)
            wish->wait = true;
        else if (strcmp(word, "--promote") == 0)
            wish->promote = true;
        else if (strcmp(word, "--withdraw") == 0)
            wish->withdraw = true;
        else
            ok = false;
        if (!ok)
            return false;
    }
    int orders = (wish->share != NULL) + wish->promote + wish->withdraw;
    return orders <= 1 && (wish->share || (!wish->length && !wish->wait));
}

/* Mistakes of typing are refused here, so that a script can tell them from a rejected reload. */
static bool is_sensible(const struct wish *wish)
{
    struct share *share = NULL;
    struct failure why = {.rc = R_OK};

    if (wish->share && share_parse(slice_cstr(wish->share), SLICE(""), &share, &why) != R_OK) {
        fprintf(stderr, "fura: --canary: %s\n", why.text);
        return false;
    }
    share_free(share);
    if (wish->length && parse_length(wish->length) == 0) {
        fprintf(stderr, "fura: --for: expected 1s to 24h, like 90s, 5m or 1h, got '%s'\n",
                wish->length);
        return false;
    }
    return true;
}

static void put_request(const struct wish *wish, struct buf *out)
{
    buf_append_char(out, '{');
    json_put_member(out, "command",
                    wish->promote    ? SLICE("promote")
                    : wish->withdraw ? SLICE("withdraw")
                                     : SLICE("reload"));
    if (wish->share)
        json_put_member(out, "canary", slice_cstr(wish->share));
    if (wish->length)
        json_put_integer(out, "for_s", parse_length(wish->length));
    buf_append_char(out, '}');
}

/* ---- answers ---- */

static void print_verdict(struct slice line)
{
    bool ok = json_find_bool(line, "ok", false);
    struct buf reason = {0};

    json_find_text(line, "reason", &reason);
    printf("worker %lld generation %lld %s%s\n", json_find_integer(line, "worker"),
           json_find_integer(line, "generation"), ok ? "ok" : "rejected ", buf_cstr(&reason));
    buf_free(&reason);
}

static void print_problems(struct slice last)
{
    fflush(stdout);
    client_print_list(last, "problems", stderr);
}

static void print_outcome(struct slice lines, struct slice last)
{
    struct slice line, worker;
    bool asked = false;

    while (client_next_line(&lines, &line))
        if (json_find(line, "worker", &worker)) {
            print_verdict(line);
            asked = true;
        }
    if (!asked && json_find(last, "problems", &worker)) { /* the master could not even read it */
        printf("master generation %lld rejected\n", json_find_integer(last, "generation"));
        print_problems(last);
    }
}

static void print_canary(struct slice last)
{
    struct slice canary;
    struct buf share = {0};

    if (!json_find(last, "canary", &canary))
        return;
    json_find_text(canary, "share", &share);
    printf(
        "canary: generation %lld answers %s for %lld s, then it goes live unless it does worse.\n"
        "Watch it: fura status. End it: fura reload --promote or --withdraw.\n",
        json_find_integer(canary, "generation"), buf_cstr(&share),
        json_find_integer(canary, "for_s"));
    buf_free(&share);
    fflush(stdout);
}

/* ---- asking ---- */

static int await_end(const struct invocation *invocation, long long generation)
{
    struct buf request = {0}, out = {0}, note = {0};
    struct slice last;

    buf_printf(&request, "{\"command\":\"await\",\"generation\":%lld}", generation);
    int status = client_ask_aloud(invocation, buf_slice(&request), &out, &last);
    if (!invocation->json) {
        if (json_find_text(last, "note", &note))
            printf("%s\n", buf_cstr(&note));
        print_problems(last);
    }
    buf_free(&request);
    buf_free(&out);
    buf_free(&note);
    return status;
}

static void print_end(const struct wish *wish, struct slice last)
{
    printf("generation %lld %s, generation %lld is live\n", json_find_integer(last, "generation"),
           wish->promote ? "promoted" : "withdrawn", json_find_integer(last, "live"));
}

int reload_run(const struct invocation *invocation)
{
    struct wish wish = {0};
    struct buf request = {0}, out = {0};
    struct slice last;

    if (!read_options(invocation, &wish))
        return command_usage(invocation);
    if (!is_sensible(&wish))
        return EXIT_USAGE;
    put_request(&wish, &request);
    int status = client_ask_aloud(invocation, buf_slice(&request), &out, &last);
    if (!invocation->json && (wish.promote || wish.withdraw)) {
        if (status == EXIT_OK)
            print_end(&wish, last);
    } else if (!invocation->json) {
        print_outcome(buf_slice(&out), last);
        print_canary(last);
    }
    if (status == EXIT_OK && wish.wait)
        status = await_end(invocation, json_find_integer(last, "generation"));
    buf_free(&request);
    buf_free(&out);
    return status;
}
