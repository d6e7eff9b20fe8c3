/* profile.c: `fura profile`: where the scripts of the running server spend CPU time, as tables, folded stacks and a flame
 * graph. */
#include "command/client.h"
#include "json.h"
#include "base/counts.h"
#include "base/file.h"
#include "base/flame_graph.h"
#include "script/profile.h"

#include <stdio.h>
#include <stdlib.h>

enum { TOP = 10, FILE_MODE = 0644 };

static const char root_name[] = "fura";
static const char core_name[] = "(core: network, parsing, kernel)";

struct profile {
    unsigned seconds, workers, lost;
    uint64_t scripts, outside;
    struct counts *stacks, *rules, *routes;
    struct buf refusal;         /* why a worker could not */
    struct buf folded, picture; /* names of the files */
};

/* ---- collecting ---- */

static bool is_owner(struct slice frame)
{
    return slice_starts(frame, SLICE("rule ")) || slice_starts(frame, SLICE("plugin "));
}

/* The first frame is the task's label, the second may be a rule or plugin. */
static void add_stack(struct profile *profile, struct slice stack, uint64_t samples)
{
    counts_add(profile->stacks, stack, samples);
    counts_add(profile->routes, slice_cut(&stack, ';'), samples);
    struct slice second = slice_cut(&stack, ';');
    if (is_owner(second))
        counts_add(profile->rules, second, samples);
}

static void add_folded(struct profile *profile, struct slice folded)
{
    struct slice line;
    while (client_next_line(&folded, &line)) {
        const char *blank = memrchr(line.data, ' ', line.len);
        if (blank)
            add_stack(profile, slice_of(line.data, (size_t)(blank - line.data)),
                      strtoull(blank + 1, NULL, 10));
    }
}

static void add_worker(struct profile *profile, struct slice one)
{
    struct buf folded = {0};

    if (!json_find_bool(one, "ok", false)) {
        buf_clear(&profile->refusal);
        json_find_text(one, "error", &profile->refusal);
        return;
    }
    profile->scripts += (uint64_t)json_find_number(one, "samples", 0);
    profile->outside += (uint64_t)json_find_number(one, "outside", 0);
    json_find_text(one, "stacks", &folded);
    add_folded(profile, buf_slice(&folded));
    buf_free(&folded);
}

static void collect(struct profile *profile, struct slice lines, struct slice last)
{
    struct slice line, one;

    while (client_next_line(&lines, &line))
        if (json_find(line, "profile", &one))
            add_worker(profile, one);
    profile->workers = (unsigned)json_find_number(last, "workers", 0);
    profile->lost = (unsigned)json_find_number(last, "lost", 0);
}

/* ---- files ---- */

static void put_folded(void *owner, struct slice stack, uint64_t samples)
{
    struct buf *out = owner;
    buf_printf(out, "%s;%.*s %llu\n", root_name, (int)stack.len, stack.data,
               (unsigned long long)samples);
}

static bool write_file(const struct buf *path, const struct buf *content)
{
    if (file_write_atomic(path->data, buf_slice(content), FILE_MODE) == R_OK)
        return true;
    fprintf(stderr, "fura: cannot write %s\n", path->data);
    return false;
}

static void describe(const struct profile *profile, struct buf *out)
{
    uint64_t total = profile->scripts + profile->outside;
    buf_printf(out,
               "%llu samples, one each %d ms of CPU time, in %u s and %u worker%s: %.1f%% in "
               "scripts",
               (unsigned long long)total, PROFILE_SAMPLE_MS, profile->seconds, profile->workers,
               profile->workers == 1 ? "" : "s", 100.0 * (double)profile->scripts / (double)total);
}

static bool write_files(struct profile *profile)
{
    struct buf folded = {0}, picture = {0}, subtitle = {0};

    if (profile->outside > 0)
        counts_add(profile->stacks, slice_cstr(core_name), profile->outside);
    counts_each(profile->stacks, 0, put_folded, &folded);
    describe(profile, &subtitle);
    flame_graph_append(&picture, profile->stacks, root_name, buf_slice(&subtitle));
    bool written = write_file(&profile->folded, &folded) && write_file(&profile->picture, &picture);
    buf_free(&folded);
    buf_free(&picture);
    buf_free(&subtitle);
    return written;
}

/* ---- telling ---- */

struct listing {
    double total;
    struct buf *json; /* NULL: a table for people */
};

static void tell_one(void *owner, struct slice name, uint64_t samples)
{
    const struct listing *listing = owner;
    if (listing->json) {
        json_put_comma(listing->json);
        buf_append_char(listing->json, '{');
        json_put_member(listing->json, "name", name);
        json_put_integer(listing->json, "samples", (int64_t)samples);
        buf_append_char(listing->json, '}');
    } else {
        printf("%8llu  %5.1f%%  %.*s\n", (unsigned long long)samples,
               100.0 * (double)samples / listing->total, (int)name.len, name.data);
    }
}

static void tell_people(const struct profile *profile)
{
    struct listing listing = {.total = (double)(profile->scripts + profile->outside)};
    struct buf line = {0};

    describe(profile, &line);
    printf("%s\n", buf_cstr(&line));
    if (profile->lost > 0)
        printf("%u of the workers ended or could not: %s\n", profile->lost,
               profile->refusal.len ? profile->refusal.data : "it ended");
    printf("\n samples          by rule and plugin\n");
    counts_each(profile->rules, TOP, tell_one, &listing);
    printf("\n samples          by route and job\n");
    counts_each(profile->routes, TOP, tell_one, &listing);
    printf("\n%s\n%s\n", profile->folded.data, profile->picture.data);
    buf_free(&line);
}

static void put_top(struct buf *json, const char *name, const struct counts *counts)
{
    struct listing listing = {.json = json};
    json_put_name(json, name);
    buf_append_char(json, '[');
    counts_each(counts, TOP, tell_one, &listing);
    buf_append_char(json, ']');
}

static void tell_json(const struct profile *profile)
{
    struct buf json = {0};

    buf_append_slice(&json, SLICE("{\"ok\":true"));
    json_put_integer(&json, "seconds", profile->seconds);
    json_put_integer(&json, "workers", profile->workers);
    json_put_integer(&json, "lost", profile->lost);
    json_put_integer(&json, "sample_ms", PROFILE_SAMPLE_MS);
    json_put_integer(&json, "scripts", (int64_t)profile->scripts);
    json_put_integer(&json, "core", (int64_t)profile->outside);
    put_top(&json, "rules", profile->rules);
    put_top(&json, "routes", profile->routes);
    json_put_member(&json, "folded", buf_slice(&profile->folded));
    json_put_member(&json, "svg", buf_slice(&profile->picture));
    printf("%s}\n", buf_cstr(&json));
    buf_free(&json);
}

static int tell_nothing_ran(const struct invocation *invocation)
{
    if (invocation->json)
        printf("{\"ok\":false,\"code\":\"no_samples\",\"error\":\"no samples: nothing ran\"}\n");
    else
        fprintf(stderr, "fura: no samples: nothing ran\n");
    return EXIT_REFUSED;
}

/* ---- the command ---- */

static bool read_options(const struct invocation *invocation, struct profile *profile)
{
    const char *prefix = "profile";

    for (int i = 0; i < invocation->argc; i += 2) {
        const char *word = invocation->argv[i];
        const char *value = i + 1 < invocation->argc ? invocation->argv[i + 1] : NULL;
        if (value && *value && strcmp(word, "--out") == 0)
            prefix = value;
        else if (!value || strcmp(word, "--seconds") != 0 ||
                 !slice_to_unsigned(slice_cstr(value), PROFILE_SECONDS_MAX, &profile->seconds))
            return false;
    }
    buf_printf(&profile->folded, "%s.folded", prefix);
    buf_printf(&profile->picture, "%s.svg", prefix);
    buf_cstr(&profile->folded);
    buf_cstr(&profile->picture);
    return profile->seconds >= 1;
}

static int take(const struct invocation *invocation, struct profile *profile)
{
    struct buf request = {0}, out = {0};
    struct slice last;

    buf_append_slice(&request, SLICE("{\"command\":\"profile\""));
    json_put_integer(&request, "seconds", profile->seconds);
    buf_append_char(&request, '}');
    int status = client_ask(invocation, buf_slice(&request), &out, &last);
    if (status == EXIT_OK)
        collect(profile, buf_slice(&out), last);
    else if (invocation->json)
        fwrite(out.data, 1, out.len, stdout);
    buf_free(&request);
    buf_free(&out);
    return status;
}

int profile_run(const struct invocation *invocation)
{
    struct profile profile = {.seconds = 10,
                              .stacks = counts_new(SIZE_MAX),
                              .rules = counts_new(SIZE_MAX),
                              .routes = counts_new(SIZE_MAX)};
    int status;

    if (!read_options(invocation, &profile)) {
        status = command_usage(invocation);
        goto done;
    }
    status = take(invocation, &profile);
    if (status != EXIT_OK)
        goto done;
    if (profile.scripts == 0)
        status = tell_nothing_ran(invocation);
    else if (!write_files(&profile))
        status = EXIT_REFUSED;
    else if (invocation->json)
        tell_json(&profile);
    else
        tell_people(&profile);
done:
    counts_free(profile.stacks);
    counts_free(profile.rules);
    counts_free(profile.routes);
    buf_free(&profile.refusal);
    buf_free(&profile.folded);
    buf_free(&profile.picture);
    return status;
}
