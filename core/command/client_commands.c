/* client_commands.c: the commands that ask the running server: status, ps, kill, call, stop; reload.c has one more. */
#include "command/client.h"
#include "json.h"
#include "base/json_text.h"

#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static void print_slice(struct slice text)
{
    fwrite(text.data, 1, text.len, stdout);
}

static void print_text(struct slice object, const char *name)
{
    struct buf text = {0};
    json_find_text(object, name, &text);
    print_slice(buf_slice(&text));
    buf_free(&text);
}

/* ---- status ---- */

static void print_worker(struct slice worker)
{
    struct buf state = {0};

    json_find_text(worker, "state", &state);
    printf("%6lld  %-18s  %7lld  %10lld  %8llds  %6.1f MB  %6.1f MB  %11lld  %5lld  %8lld\n",
           json_find_integer(worker, "worker"), buf_cstr(&state), json_find_integer(worker, "pid"),
           json_find_integer(worker, "generation"), json_find_integer(worker, "uptime_s"),
           (double)json_find_integer(worker, "memory_bytes") / 1e6,
           (double)json_find_integer(worker, "script_bytes") / 1e6,
           json_find_integer(worker, "connections"), json_find_integer(worker, "tasks"),
           json_find_integer(worker, "restarts"));
    buf_free(&state);
}

/* «generation 4» or «live», with its figures. */
static void print_side(const char *who, struct slice canary, const char *name)
{
    struct slice side;
    if (!json_find(canary, name, &side))
        return;
    printf("  %-16s %8lld requests  %6lld errors  %6lld failures of rules  p95 %.1f ms\n", who,
           json_find_integer(side, "requests"), json_find_integer(side, "errors"),
           json_find_integer(side, "failures"), json_find_number(side, "p95_ms", 0));
}

static void print_canary(struct slice last)
{
    struct slice canary;
    char who[40];

    if (!json_find(last, "canary", &canary) || json_find_integer(canary, "generation") == 0)
        return;
    snprintf(who, sizeof who, "generation %lld", json_find_integer(canary, "generation"));
    printf("\nCanary: generation %lld for ", json_find_integer(canary, "generation"));
    print_text(canary, "share");
    printf(", %lld of %lld s left\n", json_find_integer(canary, "left_s"),
           json_find_integer(canary, "for_s"));
    print_side(who, canary, "candidate");
    print_side("live", canary, "live");
    struct buf complaint = {0};
    if (json_find_text(canary, "complaint", &complaint) && complaint.len > 0)
        printf("  its first mistake: %s\n", buf_cstr(&complaint));
    buf_free(&complaint);
}

static void print_last_rejection(struct slice last)
{
    struct slice reloads, reload;
    size_t at = 0;

    if (!json_find(last, "reloads", &reloads) || !json_next(reloads, &at, &reload) ||
        json_find_bool(reload, "ok", true))
        return;
    printf("\nThe last reload was rejected: ");
    print_text(reload, "reason");
    putchar('\n');
}

static void print_status(struct slice last)
{
    struct slice list, item;
    size_t at = 0;

    printf("fura ");
    print_text(last, "version");
    printf(", pid %lld, up %lld s, generation %lld (", json_find_integer(last, "pid"),
           json_find_integer(last, "uptime_s"), json_find_integer(last, "generation"));
    print_text(last, "hash");
    printf(")%s\n", json_find_bool(last, "draining", false) ? ", draining" : "");
    if (json_find(last, "listeners", &list))
        while (json_next(list, &at, &item)) {
            print_text(item, "url");
            printf(" (");
            print_text(item, "use");
            printf(")\n");
        }
    printf("\nworker  state                   pid  generation     uptime     memory    scripts  "
           "connections  "
           "tasks  restarts\n");
    at = 0;
    if (json_find(last, "workers", &list))
        while (json_next(list, &at, &item))
            print_worker(item);
    print_canary(last);
    print_last_rejection(last);
}

int status_run(const struct invocation *invocation)
{
    struct buf out = {0};
    struct slice last;
    int status = client_ask_aloud(invocation, SLICE("{\"command\":\"status\"}"), &out, &last);

    if (status == EXIT_OK && !invocation->json)
        print_status(last);
    buf_free(&out);
    return status;
}

/* ---- ps, kill ---- */

static void print_task(struct slice task)
{
    struct buf id = {0}, waits = {0}, label = {0};

    json_find_text(task, "id", &id);
    json_find_text(task, "waits_for", &waits);
    json_find_text(task, "label", &label);
    const char *running = json_find_bool(task, "sliced", false) ? "running (sliced)" : "running";
    printf("%-14s  %7.1fs  %10lld  %-16s  %s\n", buf_cstr(&id),
           (double)json_find_integer(task, "age_ms") / 1000, json_find_integer(task, "generation"),
           waits.len ? buf_cstr(&waits) : running, buf_cstr(&label));
    buf_free(&id);
    buf_free(&waits);
    buf_free(&label);
}

int ps_run(const struct invocation *invocation)
{
    struct buf out = {0};
    struct slice last, rest, line, tasks, task;
    int status = client_ask_aloud(invocation, SLICE("{\"command\":\"ps\"}"), &out, &last);

    rest = buf_slice(&out);
    if (status == EXIT_OK && !invocation->json) {
        printf("id                   age  generation  waits for         what\n");
        while (client_next_line(&rest, &line)) {
            size_t at = 0;
            if (json_find(line, "tasks", &tasks))
                while (json_next(tasks, &at, &task))
                    print_task(task);
        }
    }
    buf_free(&out);
    return status;
}

int kill_run(const struct invocation *invocation)
{
    struct buf request = {0}, out = {0};
    struct slice last;

    if (invocation->argc != 1)
        return command_usage(invocation);
    buf_append_slice(&request, SLICE("{\"command\":\"kill\""));
    json_put_member(&request, "id", slice_cstr(invocation->argv[0]));
    buf_append_char(&request, '}');
    int status = client_ask_aloud(invocation, buf_slice(&request), &out, &last);
    if (status == EXIT_OK && !invocation->json)
        printf("%s ended\n", invocation->argv[0]);
    buf_free(&request);
    buf_free(&out);
    return status;
}

/* ---- call ---- */

int call_run(const struct invocation *invocation)
{
    struct buf request = {0}, out = {0};
    struct slice last, value;

    if (invocation->argc < 1 || invocation->argc > 2)
        return command_usage(invocation);
    struct slice input = invocation->argc == 2 ? slice_cstr(invocation->argv[1]) : SLICE("null");
    if (!json_valid(input)) {
        fprintf(stderr, "fura: the second argument is not JSON\n");
        return EXIT_USAGE;
    }
    buf_append_slice(&request, SLICE("{\"command\":\"call\""));
    json_put_member(&request, "name", slice_cstr(invocation->argv[0]));
    json_put_name(&request, "input");
    buf_append_slice(&request, input);
    buf_append_char(&request, '}');
    int status = client_ask_aloud(invocation, buf_slice(&request), &out, &last);
    if (!invocation->json &&
        (json_find(last, "value", &value) || json_find(last, "failure", &value))) {
        print_slice(value);
        putchar('\n');
    }
    buf_free(&request);
    buf_free(&out);
    return status;
}

/* ---- stop ---- */

static void wait_for_end(int pid)
{
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process < 0)
        return; /* it is gone already */
    poll(&(struct pollfd){.fd = process, .events = POLLIN}, 1, -1);
    close(process);
}

int stop_run(const struct invocation *invocation)
{
    struct buf out = {0};
    struct slice last;
    int status = client_ask_aloud(invocation, SLICE("{\"command\":\"stop\"}"), &out, &last);

    if (status == EXIT_OK)
        wait_for_end((int)json_find_integer(last, "pid"));
    if (status == EXIT_OK && !invocation->json)
        printf("stopped\n");
    buf_free(&out);
    return status;
}
