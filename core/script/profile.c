/* profile.c: see profile.h. A timer on the CPU time of the Lua thread sends it the watchdog's signal; the watchdog makes the
 * VM stop at its next instruction and calls take(), which walks the stack. */
#include "script/profile.h"
#include "script/watchdog.h"
#include "base/bundle.h"
#include "base/counts.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH_MAX = 96, STACKS_MAX_BYTES = 3 << 20 };

static struct counts *stacks; /* NULL: none is being taken */
static timer_t timer;

/* ---- one stack ---- */

/* ';' and line ends separate in the folded form. */
static void append_frame(struct buf *key, const char *prefix, struct slice name)
{
    if (key->len > 0)
        buf_append_char(key, ';');
    buf_append_slice(key, slice_cstr(prefix));
    for (size_t i = 0; i < name.len; i++)
        buf_append_char(key, name.data[i] == ';'                 ? ','
                             : (unsigned char)name.data[i] < ' ' ? ' '
                                                                 : name.data[i]);
}

static struct slice name_within(const char *source, const char *folder)
{
    size_t len = strlen(folder);
    if (strncmp(source, folder, len) != 0)
        return SLICE("");
    return slice_of(source + len, strcspn(source + len, "/."));
}

/* Whose code it is, when it is that of a rule or plugin. */
static bool append_owner(struct buf *key, const char *source)
{
    struct slice rule = name_within(source, "@lua/rules/");
    struct slice plugin = name_within(source, "@plugins/");

    if (rule.len > 0)
        append_frame(key, "rule ", rule);
    else if (plugin.len > 0)
        append_frame(key, "plugin ", plugin);
    return rule.len + plugin.len > 0;
}

/* «path:line» of its definition; profile_stop() finds its name there. The name it was called by would not do: one function
 * may be called by many. */
static void append_function(struct buf *key, const lua_Debug *at)
{
    char text[256];

    if (*at->what == 'C')
        snprintf(text, sizeof text, "%s (C)", at->name ? at->name : "function");
    else if (strcmp(at->what, "main") == 0)
        snprintf(text, sizeof text, "%s", at->source + 1);
    else
        snprintf(text, sizeof text, "%s:%d", at->source + 1, at->linedefined);
    append_frame(key, "", slice_cstr(text));
}

/* The Lua parts of the core itself say nothing to the reader. */
static bool is_shown(const lua_Debug *at)
{
    return *at->what == 'C' || at->source[0] != '=';
}

/* The frames of this coroutine from the outermost; of a very deep stack only the inner ones. */
static int read_frames(lua_State *L, lua_Debug *frames)
{
    int count = 0;
    while (count < DEPTH_MAX && lua_getstack(L, count, &frames[count])) {
        lua_getinfo(L, "Snl", &frames[count]);
        count++;
    }
    return count;
}

static const char *state_name(char state)
{
    switch (state) {
    case 'N':
        return "compiled";
    case 'C':
        return "C";
    case 'G':
        return "garbage collection";
    case 'J':
        return "compiling";
    default:
        return "interpreted";
    }
}

static void append_where(struct buf *key, const lua_Debug *innermost, char state)
{
    char text[64];
    if (innermost && innermost->currentline > 0)
        snprintf(text, sizeof text, "line %d, %s", innermost->currentline, state_name(state));
    else
        snprintf(text, sizeof text, "%s", state_name(state));
    append_frame(key, "", slice_cstr(text));
}

static void append_labels(struct buf *key, const struct watchdog_run *run)
{
    const struct watchdog_run *task = run;
    while (task->is_guarded && task->outer)
        task = task->outer;
    append_frame(key, "", slice_cstr(task->label));
    if (task != run)
        append_frame(key, "", slice_cstr(run->label));
}

static void take(const struct watchdog_sample *sample)
{
    static lua_Debug frames[DEPTH_MAX];
    struct buf key = {0};
    int count = read_frames(sample->L, frames);
    bool owned = sample->run->is_guarded;

    append_labels(&key, sample->run);
    size_t labels_len = key.len;
    for (int i = count - 1; i >= 0 && !owned; i--)
        owned = append_owner(&key, frames[i].source);
    for (int i = count - 1; i >= 0; i--)
        if (is_shown(&frames[i]))
            append_function(&key, &frames[i]);
    append_where(&key, count > 0 ? &frames[0] : NULL, sample->state);
    if (!counts_add(stacks, buf_slice(&key), sample->weight)) {
        key.len = labels_len;
        append_frame(&key, "", SLICE("(more stacks than fit)"));
        counts_add(stacks, buf_slice(&key), sample->weight);
    }
    buf_free(&key);
}

/* ---- starting ---- */

static bool start_timer(int signal)
{
    struct sigevent event;
    struct itimerspec every = {.it_interval.tv_nsec = PROFILE_SAMPLE_MS * 1000000,
                               .it_value.tv_nsec = PROFILE_SAMPLE_MS * 1000000};
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = signal;
    event._sigev_un._tid = (int)syscall(SYS_gettid);
    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) != 0)
        return false;
    if (timer_settime(timer, 0, &every, NULL) == 0)
        return true;
    timer_delete(timer);
    return false;
}

enum result profile_start(struct failure *why)
{
    if (stacks)
        return fail(why, R_EXISTS, "a profile is being taken already");
    if (strcmp(watchdog_mode(), "off") == 0)
        return fail(why, R_UNAVAILABLE, "the script watchdog is off");
    stacks = counts_new(STACKS_MAX_BYTES);
    if (!start_timer(watchdog_sample(take))) {
        watchdog_sample(NULL);
        counts_free(stacks);
        stacks = NULL;
        return fail(why, R_UNAVAILABLE, "no timer for CPU time: %s", strerror(errno));
    }
    return R_OK;
}

/* ---- names ---- */

static bool is_name_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == ':';
}

static struct slice line_of(struct slice source, unsigned number)
{
    struct slice line = SLICE("");
    for (; number > 0 && source.len > 0; number--)
        line = slice_cut(&source, '\n');
    return number == 0 ? line : SLICE("");
}

/* Of «function NAME(», «NAME = function(» and the like; empty when it has none. */
static struct slice name_in(struct slice line)
{
    const char *word = line.len ? memmem(line.data, line.len, "function", 8) : NULL;
    if (!word)
        return SLICE("");
    const char *start = word + 8, *end = line.data + line.len;
    while (start < end && *start == ' ')
        start++;
    const char *stop = start;
    while (stop < end && is_name_letter(*stop))
        stop++;
    if (stop > start)
        return slice_of(start, (size_t)(stop - start));
    for (stop = word; stop > line.data && (stop[-1] == ' ' || stop[-1] == '='); stop--)
        ;
    for (start = stop; start > line.data && is_name_letter(start[-1]); start--)
        ;
    return memchr(stop, '=', (size_t)(word - stop)) ? slice_of(start, (size_t)(stop - start))
                                                    : SLICE("");
}

static void append_named(struct buf *out, const struct bundle *bundle, struct slice frame)
{
    const char *colon = memrchr(frame.data, ':', frame.len);
    struct slice source;
    unsigned number;

    if (bundle && colon &&
        slice_to_unsigned(slice_from(frame, (size_t)(colon - frame.data) + 1), UINT32_MAX,
                          &number) &&
        bundle_find(bundle, slice_of(frame.data, (size_t)(colon - frame.data)), &source)) {
        struct slice name = name_in(line_of(source, number));
        buf_append_slice(out, name);
        if (name.len > 0)
            buf_append_char(out, ' ');
    }
    buf_append_slice(out, frame);
}

struct folding {
    const struct bundle *bundle;
    struct buf *out;
};

static void on_stack(void *owner, struct slice stack, uint64_t times)
{
    const struct folding *folding = owner;
    while (stack.len > 0) {
        append_named(folding->out, folding->bundle, slice_cut(&stack, ';'));
        if (stack.len > 0)
            buf_append_char(folding->out, ';');
    }
    buf_printf(folding->out, " %llu\n", (unsigned long long)times);
}

/* ---- ending ---- */

void profile_stop(const struct bundle *bundle, struct buf *folded, struct profile_totals *totals)
{
    struct folding folding = {bundle, folded};
    timer_delete(timer);
    totals->outside = watchdog_sampled_outside();
    totals->scripts = counts_total(stacks);
    watchdog_sample(NULL);
    counts_each(stacks, 0, on_stack, &folding);
    counts_free(stacks);
    stacks = NULL;
}
