/* migrate_report.c: see migrate_report.h. */
#include "migrate/migrate_report.h"
#include "base/json_text.h"

static void append_number_or_null(struct buf *out, const char *key, long number)
{
    if (number < 0)
        buf_printf(out, ",\"%s\":null", key);
    else
        buf_printf(out, ",\"%s\":%ld", key, number);
}

static void append_json(struct buf *out, const struct report_item *item)
{
    buf_printf(out, "%s{\"version\":%u,\"name\":", out->len ? "," : "", item->version);
    json_text_append(out, slice_cstr(item->name));
    if (item->state) {
        buf_printf(out, ",\"state\":\"%s\",\"applied_at\":", item->state);
        if (item->applied_at[0])
            json_text_append(out, slice_cstr(item->applied_at));
        else
            buf_append_slice(out, SLICE("null"));
    }
    append_number_or_null(out, "took_ms", item->took_ms);
    buf_append_char(out, '}');
}

static void append_line(struct buf *out, const struct report_item *item)
{
    buf_printf(out, "%04u_%s  %s", item->version, item->name,
               item->state ? item->state : "applied");
    if (item->applied_at && item->applied_at[0])
        buf_printf(out, " %s", item->applied_at);
    if (item->took_ms >= 0)
        buf_printf(out, ", %ld ms", item->took_ms);
    buf_append_char(out, '\n');
}

void report_item(struct report *report, const struct report_item *item)
{
    if (report->json)
        append_json(&report->items, item);
    else
        append_line(&report->items, item);
}

void report_file(struct report *report, struct slice path)
{
    if (report->json)
        json_text_append(&report->items, path);
    else
        buf_printf(&report->items, "%.*s\n", (int)path.len, path.data);
}

int report_finish(struct report *report, const char *list_name, const char *tail, struct buf *out)
{
    int status = report->problems.len > 0;
    if (report->json) {
        buf_printf(out, "{\"%s\":[", list_name);
        buf_append_slice(out, buf_slice(&report->items));
        buf_printf(out, "]%s,\"problems\":", tail);
        json_text_append_lines(out, buf_slice(&report->problems));
        buf_append_slice(out, SLICE("}\n"));
    } else {
        buf_append_slice(out, buf_slice(&report->items));
        buf_append_slice(out, buf_slice(&report->problems));
    }
    buf_free(&report->items);
    buf_free(&report->problems);
    return status;
}
