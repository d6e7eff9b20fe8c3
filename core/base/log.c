/* log.c: one line, one write(2): lines of several processes never mix in an O_APPEND file.
 *
 * A storm of one complaint must not fill the disk: of the same warning or error ten lines a second
 * pass, then it is only counted for a minute and summed up in a line with `repeated`. Records
 * (info, debug) always pass: the access log is made of them. */
#include "base/log.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json_text.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    BURST = 10,            /* lines a second before a message is only counted */
    WINDOW_MS = 60 * 1000, /* how long it is only counted */
    STORMS_MAX = 64,       /* messages watched at once */
    FIELD_MAX_BYTES = 16 * 1024,
};

struct storm {
    char *message; /* NULL = free slot */
    enum log_level level;
    unsigned in_second;
    uint64_t suppressed;
    int64_t second_ms, muted_ms; /* muted_ms: when counting began, 0 = not muted */
};

static struct {
    int fd;
    bool terminal;
    enum log_level least;
    char *path, *process;
} sink = {.fd = STDERR_FILENO, .least = LOG_INFO};

static struct storm storms[STORMS_MAX];
static atomic_flag storms_busy = ATOMIC_FLAG_INIT;
static atomic_int storms_muted; /* so that the quiet case costs one load */

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* ---- words ---- */

static void append_time(struct buf *line, const char *format)
{
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm parts;
    char text[40];
    gmtime_r(&seconds, &parts);
    strftime(text, sizeof text, format, &parts);
    buf_printf(line, "%s.%03d", text, (int)(now_ms % 1000));
}

static void append_number(struct buf *line, double number)
{
    if (isfinite(number))
        buf_printf(line, "%.15g", number);
    else
        buf_append_slice(line, SLICE("null"));
}

static struct slice clipped(struct slice text)
{
    return slice_of(text.data, text.len > FIELD_MAX_BYTES ? FIELD_MAX_BYTES : text.len);
}

static void append_value(struct buf *line, const struct log_field *field)
{
    switch (field->kind) {
    case LOG_FIELD_SLICE:
        json_text_append(line, clipped(field->text));
        return;
    case LOG_FIELD_INT:
        buf_printf(line, "%lld", (long long)field->integer);
        return;
    case LOG_FIELD_NUMBER:
        append_number(line, field->number);
        return;
    case LOG_FIELD_RAW:
        buf_append_slice(line, field->text);
        return;
    }
}

static void append_json(struct buf *line, enum log_level level, const char *message,
                        const struct log_field *fields)
{
    buf_append_slice(line, SLICE("{\"time\":\""));
    append_time(line, "%Y-%m-%dT%H:%M:%S");
    buf_printf(line, "Z\",\"level\":\"%s\",\"message\":", level_names[level]);
    json_text_append(line, slice_cstr(message));
    buf_append_slice(line, SLICE(",\"process\":"));
    json_text_append(line, slice_cstr(sink.process ? sink.process : "fura"));
    for (; fields->name; fields++) {
        buf_append_char(line, ',');
        json_text_append(line, slice_cstr(fields->name));
        buf_append_char(line, ':');
        append_value(line, fields);
    }
    buf_append_slice(line, SLICE("}\n"));
}

/* A stack trace is for eyes here, so its line breaks stay; other control bytes could play with the
 * terminal. */
static void append_plain(struct buf *line, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        buf_append_char(line, (unsigned char)c < 0x20 && c != '\n' && c != '\t' ? '?' : c);
    }
}

static void append_text(struct buf *line, enum log_level level, const char *message,
                        const struct log_field *fields)
{
    static const char *const colours[] = {"\033[2m", "", "\033[33m", "\033[31m"};
    append_time(line, "%H:%M:%S");
    buf_printf(line, " %s%-5s %s\033[0m", colours[level], level_names[level], message);
    for (; fields->name; fields++) {
        buf_printf(line, " \033[2m%s=\033[0m", fields->name);
        if (fields->kind == LOG_FIELD_SLICE)
            append_plain(line, clipped(fields->text));
        else
            append_value(line, fields);
    }
    buf_append_char(line, '\n');
}

static void write_line(enum log_level level, const char *message, const struct log_field *fields)
{
    struct buf line = {0};
    buf_reserve(&line, 512);
    (sink.terminal ? append_text : append_json)(&line, level, message, fields);
    struct slice rest = buf_slice(&line);
    while (rest.len > 0) {
        ssize_t done = write(sink.fd, rest.data, rest.len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            break; /* a full disk must not stop the server */
        rest = slice_from(rest, (size_t)done);
    }
    buf_free(&line);
}

/* ---- storms ---- */

static void unmute(struct storm *storm)
{
    if (storm->muted_ms == 0)
        return;
    atomic_fetch_sub(&storms_muted, 1);
    storm->muted_ms = 0;
    if (storm->suppressed > 0)
        write_line(storm->level, storm->message,
                   LOG_FIELDS(LOG_INT("repeated", storm->suppressed),
                              LOG_INT("window_s", WINDOW_MS / 1000)));
    storm->suppressed = 0;
}

static void sum_up_over(int64_t now_ms)
{
    for (unsigned i = 0; i < STORMS_MAX; i++)
        if (storms[i].muted_ms && now_ms - storms[i].muted_ms >= WINDOW_MS)
            unmute(&storms[i]);
}

/* The slot of this message, else the one that was quiet for longest. */
static struct storm *storm_of(enum log_level level, const char *message)
{
    struct storm *oldest = &storms[0];
    for (unsigned i = 0; i < STORMS_MAX; i++) {
        struct storm *storm = &storms[i];
        if (storm->message && storm->level == level && strcmp(storm->message, message) == 0)
            return storm;
        if (storm->second_ms < oldest->second_ms)
            oldest = storm;
    }
    unmute(oldest);
    free(oldest->message);
    *oldest = (struct storm){.message = mem_strdup(message), .level = level};
    return oldest;
}

static bool passes(enum log_level level, const char *message, int64_t now_ms)
{
    struct storm *storm = storm_of(level, message);
    if (storm->muted_ms) {
        storm->suppressed++;
        storm->second_ms = now_ms;
        return false;
    }
    if (now_ms - storm->second_ms >= 1000) {
        storm->second_ms = now_ms;
        storm->in_second = 0;
    }
    if (++storm->in_second <= BURST)
        return true;
    storm->muted_ms = now_ms;
    storm->suppressed = 1;
    atomic_fetch_add(&storms_muted, 1);
    return false;
}

void log_emit(enum log_level level, const char *message, const struct log_field *fields)
{
    if (level < sink.least)
        return;
    bool pass = true;
    /* A helper thread that finds the table busy, or a child forked while it was, logs without
     * counting. */
    if ((level >= LOG_WARN || atomic_load(&storms_muted) > 0) &&
        !atomic_flag_test_and_set(&storms_busy)) {
        int64_t now_ms = clock_monotonic_ms();
        if (atomic_load(&storms_muted) > 0)
            sum_up_over(now_ms);
        if (level >= LOG_WARN)
            pass = passes(level, message, now_ms);
        atomic_flag_clear(&storms_busy);
    }
    if (pass)
        write_line(level, message, fields);
}

/* ---- where lines go ---- */

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

/* Takes `fd`. The number in use stays the same, so a helper thread that is writing now cannot hit a
 * stranger. */
static void use_fd(int fd)
{
    if (fd == STDERR_FILENO || sink.fd == STDERR_FILENO) {
        if (sink.fd != STDERR_FILENO)
            close(sink.fd);
        sink.fd = fd;
    } else {
        dup3(fd, sink.fd, O_CLOEXEC);
        close(fd);
    }
    sink.terminal = isatty(sink.fd);
}

/* A worker starts with the storms its master watched: those are the master's to sum up. */
static void forget_storms(void)
{
    for (unsigned i = 0; i < STORMS_MAX; i++) {
        free(storms[i].message);
        storms[i] = (struct storm){0};
    }
    atomic_store(&storms_muted, 0);
    atomic_flag_clear(&storms_busy);
}

void log_open(const char *path, enum log_level least, const char *process)
{
    char *old_path = sink.path, *old_process = sink.process;
    sink.path = path ? mem_strdup(path) : NULL;
    sink.process = mem_strdup(process);
    sink.least = least;
    free(old_path);
    free(old_process);
    forget_storms();

    int fd = path ? open_file(sink.path) : STDERR_FILENO;
    int why = errno;
    use_fd(fd < 0 ? STDERR_FILENO : fd);
    if (fd < 0)
        log_error("log file cannot be opened, using stderr", LOG_STR("path", sink.path),
                  LOG_STR("reason", strerror(why)));
}

void log_reopen(void)
{
    if (!sink.path)
        return;
    int fd = open_file(sink.path);
    if (fd >= 0)
        use_fd(fd);
    else
        log_error("log file cannot be reopened, keeping the old one", LOG_STR("path", sink.path),
                  LOG_STR("reason", strerror(errno)));
}
