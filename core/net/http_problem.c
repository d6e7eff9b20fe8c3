/* http_problem.c: refusals and failures as problem documents (RFC 9457), or as an HTML fragment for htmx and
 * browsers (SPEC 4). Only what the core itself answers has words here; scripts bring their own. */
#include "net/http_private.h"
#include "base/json_text.h"

#include <stdlib.h>

enum language { RUSSIAN, ENGLISH };

struct text {
    const char *code;
    const char *detail[2];
};

static const struct text texts[] = {
    {"bad_request", {"Запрос не понят.", "The request makes no sense."}},
    {"url_too_long", {"Слишком длинный адрес.", "The address is too long."}},
    {"headers_too_large",
     {"Слишком много заголовков в запросе.", "The request has too many or too long headers."}},
    {"body_too_large", {"Запрос слишком большой.", "The request is too large."}},
    {"request_timeout",
     {"Запрос шёл слишком долго. Попробуйте ещё раз.", "The request took too long. Try again."}},
    {"expectation_failed",
     {"Такое ожидание не поддерживается.", "That expectation is unknown here."}},
    {"not_implemented", {"Такой запрос не поддерживается.", "Such requests are not supported."}},
    {"http_version_not_supported",
     {"Поддерживается только HTTP/1.1.", "Only HTTP/1.1 is supported."}},
    {"not_found", {"Такой страницы нет.", "There is no such page."}},
    {"method_not_allowed", {"Так сюда обращаться нельзя.", "This method is not allowed here."}},
    {"overloaded",
     {"Слишком много запросов сразу. Попробуйте чуть позже.",
      "Too many requests at once. Try again in a moment."}},
    {"script_timeout",
     {"Ответ готовился слишком долго. Попробуйте ещё раз.",
      "The answer took too long. Try again."}},
    {"range_not_satisfiable", {"Такой части файла нет.", "The file has no such part."}},
};

static const struct text fault = {
    "",
    {"Временный сбой. Попробуйте через минуту.", "A temporary fault. Try again in a minute."},
};

static const char *detail_of(const char *code, int status, enum language language)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(texts[i].code, code) == 0)
            return texts[i].detail[language];
    }
    return status < 500 ? texts[0].detail[language] : fault.detail[language];
}

static double weight_of(struct slice parameters)
{
    const char *q = parameters.len ? memmem(parameters.data, parameters.len, "q=", 2) : NULL;
    char digits[8] = "1";
    if (!q)
        return 1;
    size_t len = parameters.len - (size_t)(q + 2 - parameters.data);
    len = len < sizeof digits - 1 ? len : sizeof digits - 1;
    memcpy(digits, q + 2, len);
    digits[len] = '\0';
    return strtod(digits, NULL);
}

/* Russian unless English is asked for before it. */
static enum language language_of(struct slice list)
{
    enum language best = RUSSIAN;
    double best_weight = 0;
    while (list.len) {
        struct slice tag = http_trim(slice_cut(&list, ','));
        bool is_whole = tag.len == 2 || (tag.len > 2 && strchr("-; ", tag.data[2]));
        bool is_english = is_whole && strncasecmp(tag.data, "en", 2) == 0;
        bool is_russian = is_whole && strncasecmp(tag.data, "ru", 2) == 0;
        if (!is_english && !is_russian)
            continue;
        double weight = weight_of(slice_from(tag, 2));
        if (weight > best_weight) {
            best = is_english ? ENGLISH : RUSSIAN;
            best_weight = weight;
        }
    }
    return best;
}

static bool has(struct slice text, const char *word)
{
    return text.len && memmem(text.data, text.len, word, strlen(word));
}

static bool wants_html(const struct http_request *req)
{
    if (slice_eq(http_head_known(&req->head, HTTP_HX_REQUEST), SLICE("true")))
        return true;
    struct slice accept = http_head_known(&req->head, HTTP_ACCEPT);
    return has(accept, "text/html") && !has(accept, "json");
}

struct problem {
    int status;
    const char *code, *detail;
    struct slice request_id;
};

static void write_json(struct buf *out, const struct problem *problem)
{
    buf_append_slice(out, SLICE("{\"type\":\"about:blank\",\"title\":"));
    json_text_append(out, slice_cstr(http_reason(problem->status)));
    buf_printf(out, ",\"status\":%d,\"code\":", problem->status);
    json_text_append(out, slice_cstr(problem->code));
    buf_append_slice(out, SLICE(",\"detail\":"));
    json_text_append(out, slice_cstr(problem->detail));
    buf_append_slice(out, SLICE(",\"request_id\":"));
    json_text_append(out, problem->request_id);
    buf_append_char(out, '}');
}

/* Codes, details and request ids hold no markup: nothing to escape. */
static void write_html(struct buf *out, const struct problem *problem)
{
    buf_printf(out, "<section class=\"problem\" role=\"alert\" data-code=\"%s\"><p>%s</p>",
               problem->code, problem->detail);
    buf_printf(out, "<p><small>%d · %.*s</small></p></section>\n", problem->status,
               (int)problem->request_id.len, problem->request_id.data);
}

static void answer(struct http_request *req, struct http_refusal refusal, bool close,
                   const struct http_header *extra)
{
    struct slice accepted = http_head_known(&req->head, HTTP_ACCEPT_LANGUAGE);
    bool is_html = wants_html(req);
    struct http_header headers[5] = {
        {SLICE("Content-Type"), is_html ? SLICE("text/html; charset=utf-8")
                                        : SLICE("application/problem+json; charset=utf-8")},
        {SLICE("Cache-Control"), SLICE("no-store")},
        {SLICE("X-Content-Type-Options"), SLICE("nosniff")},
        {SLICE("Vary"), SLICE("HX-Request, Accept, Accept-Language")},
    };
    struct problem problem = {
        .status = refusal.status,
        .code = refusal.code,
        .detail = detail_of(refusal.code, refusal.status, language_of(accepted)),
        .request_id = http_id(req),
    };
    struct buf body = {0};
    bool has_extra = extra && extra->name.len;

    if (has_extra)
        headers[4] = *extra;
    (is_html ? write_html : write_json)(&body, &problem);
    http_reply(req, &(struct http_answer){
                        .status = refusal.status,
                        .headers = headers,
                        .header_count = has_extra ? 5 : 4,
                        .body = buf_slice(&body),
                        .close = close,
                    });
    buf_free(&body);
}

void http_reply_refusal(struct http_request *req, struct http_refusal refusal,
                        const struct http_header *extra)
{
    answer(req, refusal, true, extra);
}

void http_reply_problem(struct http_request *req, int status, const char *code)
{
    answer(req, (struct http_refusal){status, code}, false, NULL);
}

void http_reply_problem_with(struct http_request *req, int status, const char *code,
                             struct http_header extra)
{
    answer(req, (struct http_refusal){status, code}, false, &extra);
}
