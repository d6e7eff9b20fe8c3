/* fetch.c: see fetch.h, and fetch_call.h for the way a call goes. */
#include "net/fetch_call.h"
#include "base/clock.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void on_end(void *owner);
static void launch(struct fetch_call *call);

/* ---- life of the client ---- */

struct fetch *fetch_open(struct loop *loop, const struct fetch_options *options)
{
    struct fetch *fetch = mem_new(struct fetch);

    fetch->loop = loop;
    fetch->max_in_flight = options->max_in_flight;
    fetch->ca_file = options->ca_file ? mem_strdup(options->ca_file) : NULL;
    fetch->user_agent = options->user_agent ? mem_strdup(options->user_agent) : NULL;
    fetch_multi_open(fetch, options);
    fetch->names = fetch_names_open(loop);
    return fetch;
}

void fetch_close(struct fetch *fetch)
{
    fetch->closing = true;
    while (fetch->calls) {
        struct fetch_call *call = fetch->calls;
        fetch_call_end(call, R_CLOSED, NULL, "%s: the client is closing", call->target.where);
        loop_later_cancel(&call->later);
        on_end(call);
    }
    fetch_multi_close(fetch);
    fetch_names_close(fetch->names);
    free(fetch->ca_file);
    free(fetch->user_agent);
    free(fetch);
}

/* ---- start ---- */

static void free_call(struct fetch_call *call)
{
    free(call->method);
    free(call->url);
    curl_slist_free_all(call->headers);
    curl_slist_free_all(call->addresses);
    buf_free(&call->body);
    buf_free(&call->got.text);
    buf_free(&call->got.body);
    free(call);
}

static void on_launch(void *owner)
{
    launch(owner);
}

static void on_deadline(void *owner)
{
    struct fetch_call *call = owner;
    fetch_call_end(call, R_TIMEOUT, NULL, "%s: no answer within %u ms (%s)", call->target.where,
                   call->timeout_ms, fetch_answer_phase(call));
}

static void link_call(struct fetch *fetch, struct fetch_call *call)
{
    call->next = fetch->calls;
    call->link = &fetch->calls;
    if (call->next)
        call->next->link = &call->next;
    fetch->calls = call;
    fetch->in_flight++;
}

static void unlink_call(struct fetch_call *call)
{
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    call->fetch->in_flight--;
}

enum result fetch_start(struct fetch *fetch, const struct fetch_request *request, fetch_done *done,
                        void *owner, struct fetch_call **out, struct failure *why)
{
    if (fetch->closing)
        return fail(why, R_CLOSED, "the client is closing");
    if (fetch->in_flight >= fetch->max_in_flight)
        return fail(why, R_OVERLOADED, "%u calls are in flight already", fetch->in_flight);

    struct fetch_call *call = mem_new(struct fetch_call);
    call->fetch = fetch;
    call->done = done;
    call->owner = owner;
    enum result rc = fetch_request_take(call, request, why);
    if (rc != R_OK) {
        free_call(call);
        return rc;
    }
    link_call(fetch, call);
    call->started_ns = clock_monotonic_ns();
    call->deadline = loop_timer_new(fetch->loop, on_deadline, call);
    loop_timer_start(call->deadline, call->timeout_ms);
    loop_later(fetch->loop, &call->later, on_launch, call);
    if (out)
        *out = call;
    return R_OK;
}

/* ---- on its way ---- */

static void transfer(struct fetch_call *call, const char *addresses)
{
    fetch_request_prepare(call, addresses);
    if (curl_multi_add_handle(call->fetch->multi, call->easy) == CURLM_OK)
        call->in_multi = true;
    else
        fetch_call_end(call, R_IO, NULL, "%s: curl refuses the call", call->target.where);
}

static void on_name(void *owner, enum result rc, const char *addresses)
{
    struct fetch_call *call = owner;
    if (rc == R_OK)
        transfer(call, addresses);
    else
        fetch_call_end(call, R_UNAVAILABLE, "dns_failed", "%s: %s", call->target.where,
                       rc == R_NOT_FOUND ? "there is no such name" : "no name server answers");
}

static void launch(struct fetch_call *call)
{
    struct fetch_names *names = call->fetch->names;
    const char *known = call->target.literal ? NULL : fetch_names_known(names, call->target.host);

    if (call->target.literal || known) {
        transfer(call, known);
        return;
    }
    call->name_wait = (struct fetch_name_wait){.done = on_name, .owner = call};
    fetch_names_wait(names, call->target.host, &call->name_wait);
}

static void leave_curl(struct fetch_call *call)
{
    if (call->in_multi)
        curl_multi_remove_handle(call->fetch->multi, call->easy);
    call->in_multi = false;
    curl_easy_cleanup(call->easy);
    call->easy = NULL;
}

/* Go where the answer says, or end the call. */
static void follow(struct fetch_call *call)
{
    struct failure why = {0};
    char *url = NULL;
    long status = 0;

    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &url);
    url = url ? mem_strdup(url) : mem_strdup("");
    leave_curl(call);
    if (call->redirects++ == call->max_redirects) {
        free(url);
        fetch_call_end(call, R_INVALID, "bad_redirect", "%s: more than %u redirects",
                       call->target.where, call->max_redirects);
        return;
    }
    if (fetch_request_redirect(call, (int)status, url, &why) == R_OK)
        launch(call);
    else
        fetch_call_end(call, R_INVALID, "bad_redirect", "%s: refused to follow a redirect: %s",
                       call->target.where, why.text);
}

void fetch_call_transferred(struct fetch_call *call, CURLcode code)
{
    if (call->ended)
        return;
    if (code != CURLE_OK)
        fetch_answer_explain(call, code);
    else if (fetch_answer_is_followed(call))
        follow(call);
    else
        fetch_call_end(call, R_OK, NULL, "complete");
}

/* ---- end ---- */

void fetch_call_end(struct fetch_call *call, enum result rc, const char *code, const char *format,
                    ...)
{
    if (call->ended)
        return;
    call->ended = true;
    call->rc = rc;
    va_list args;
    va_start(args, format);
    vsnprintf(call->why.text, sizeof call->why.text, format, args);
    va_end(args);
    call->why.rc = rc;
    snprintf(call->why.code, sizeof call->why.code, "%s", code ? code : result_code(rc));
    loop_later_cancel(&call->later); /* it may not have been launched yet */
    loop_later(call->fetch->loop, &call->later, on_end, call);
}

void fetch_cancel(struct fetch_call *call)
{
    fetch_call_end(call, R_CANCELLED, NULL, "%s: given up by the caller (%s)", call->target.where,
                   fetch_answer_phase(call));
}

static void read_outcome(struct fetch_call *call)
{
    curl_off_t connect_us = 0;
    long status = 0, connections = 0;

    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(call->easy, CURLINFO_NUM_CONNECTS, &connections);
    curl_easy_getinfo(call->easy,
                      call->target.tls ? CURLINFO_APPCONNECT_TIME_T : CURLINFO_CONNECT_TIME_T,
                      &connect_us);
    call->got.status = (int)status;
    call->got.connect_us = connections > 0 ? connect_us : 0;
}

/* Outside of curl, on the loop. The owner comes last, because it may start other calls or close the
 * client. */
static void on_end(void *owner)
{
    struct fetch_call *call = owner;
    struct http_header headers[FETCH_HEADERS_MAX];
    struct fetch_answer answer;

    fetch_names_forget(&call->name_wait);
    loop_timer_free(call->deadline);
    if (call->easy) {
        read_outcome(call);
        leave_curl(call);
    }
    unlink_call(call);
    if (call->rc == R_OK) {
        fetch_answer_build(call, headers, &answer);
        call->done(call->owner, R_OK, &answer, NULL);
    } else {
        call->done(call->owner, call->rc, NULL, &call->why);
    }
    free_call(call);
}

const char *fetch_library(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}
