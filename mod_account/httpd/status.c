#include <apr_strings.h>
#include <httpd.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <string.h>

#include "base/clock.h"
#include "contract/buffer.h"
#include "httpd/counters.h"
#include "httpd/glue.h"
#include "store/census.h"

#define HANDLER "account-status"
/* A scraper waits longer, but a database that does not answer is what it is to be told of. */
#define PATIENCE apr_time_from_msec(2000)
#define VALUE(value) apr_psprintf(pool, "%" APR_INT64_T_FMT, (apr_int64_t)(value))

/* The page is a list of metrics, made once and shown in one of two ways. */
typedef struct sample_t {
    const char *labels[2][2]; /* name and value; NULL where there are no more */
    const char *value;        /* as Prometheus reads it */
} sample_t;

typedef struct metric_t {
    const char *name;
    const char *type;
    const char *help;            /* one line, shown on both */
    apr_array_header_t *samples; /* of sample_t; a metric without any is not shown */
} metric_t;

typedef struct status_t {
    apr_pool_t *pool;
    const account_server_t *server;
    apr_array_header_t *metrics; /* of metric_t */
    int is_up;                   /* census was taken */
    account_census_t census;
} status_t;

static metric_t *add_metric(status_t *status, const char *name, const char *type, const char *help)
{
    metric_t *metric = apr_array_push(status->metrics);

    *metric = (metric_t){name, type, help, apr_array_make(status->pool, 4, sizeof(sample_t))};
    return metric;
}

static sample_t *add_sample(metric_t *metric, const char *value)
{
    sample_t *sample = apr_array_push(metric->samples);

    *sample = (sample_t){.value = value};
    return sample;
}

static void label(sample_t *sample, int number, const char *name, const char *value)
{
    sample->labels[number][0] = name;
    sample->labels[number][1] = value;
}

static void add_number(status_t *status, const char *name, const char *help, apr_int64_t value)
{
    apr_pool_t *pool = status->pool;

    add_sample(add_metric(status, name, "gauge", help), VALUE(value));
}

/* A backend by its driver, the second of one with a number. Its parameters hold a password. */
static const char *name_backend(const status_t *status, int number)
{
    const apr_array_header_t *backends = status->server->shared->backends;
    const char *driver = APR_ARRAY_IDX(backends, number, account_backend_t *)->driver;
    int i, nth = 1;

    for (i = 0; i < number; i++) {
        nth += strcmp(APR_ARRAY_IDX(backends, i, account_backend_t *)->driver, driver) == 0;
    }
    return nth == 1 ? driver : apr_psprintf(status->pool, "%s-%d", driver, nth);
}

static void take_census(status_t *status)
{
    const account_server_t *server = status->server;
    account_store_t store = {
        .realm = server->realm,
        .keys = server->keys,
        .random = &account_random_secure,
        .now = apr_time_as_msec(apr_time_now()),
        .deadline = account_clock_monotonic() + PATIENCE,
        .pool = status->pool,
    };

    if (server->backend && server->backend->database) {
        store.database = server->backend->database;
        store.log = &server->backend->log;
        status->is_up = account_census_take(&store, &status->census) == APR_SUCCESS;
    }
}

/* Only the server's own database is asked anything; of another it is known whether the connections
 * of some child wait for it. */
static void add_databases(status_t *status)
{
    apr_pool_t *pool = status->pool;
    const account_shared_t *shared = status->server->shared;
    metric_t up, connections, waiting, late;
    int i;

    up = *add_metric(status, "account_up", "gauge", "Whether the database answers (1) or not (0)");
    connections = *add_metric(status, "account_database_connections", "gauge",
                              "Open connections to the database, of all processes");
    waiting = *add_metric(status, "account_database_waiting", "gauge",
                          "Requests that wait for a connection just now");
    late = *add_metric(status, "account_database_timeouts_total", "counter",
                       "Waits for a connection that ended without one");
    for (i = 0; i < shared->backends->nelts; i++) {
        account_backend_t *backend = APR_ARRAY_IDX(shared->backends, i, account_backend_t *);
        const char *name = name_backend(status, i);
        account_gauges_t load;
        sample_t *sample;
        int is_up;

        account_counters_load(shared, backend, &load);
        is_up = backend == status->server->backend ? status->is_up : load.is_down == 0;
        label(add_sample(&up, VALUE(is_up)), 0, "backend", name);
        sample = add_sample(&connections, VALUE(load.lent));
        label(sample, 0, "backend", name);
        label(sample, 1, "state", "busy");
        sample = add_sample(&connections, VALUE(load.open > load.lent ? load.open - load.lent : 0));
        label(sample, 0, "backend", name);
        label(sample, 1, "state", "idle");
        label(add_sample(&waiting, VALUE(load.waiting)), 0, "backend", name);
        label(add_sample(&late, VALUE(load.late)), 0, "backend", name);
    }
}

static void add_census(status_t *status)
{
    const account_census_t *census = &status->census;
    metric_t *oldest;

    if (!status->is_up) {
        return;
    }
    if (census->accounts >= 0) {
        add_number(status, "account_accounts", "Accounts of the realm", census->accounts);
    }
    add_number(status, "account_sessions", "Sessions of the realm that live", census->sessions);
    add_number(status, "account_outbox_waiting", "Messages of the realm that are not delivered yet",
               census->waiting);
    oldest = add_metric(status, "account_outbox_oldest_seconds", "gauge",
                        "How long the oldest undelivered message has waited, in seconds");
    add_sample(oldest, apr_psprintf(status->pool, "%" APR_INT64_T_FMT ".%03d",
                                    census->oldest / 1000, (int)(census->oldest % 1000)));
}

static void add_processes(status_t *status)
{
    apr_pool_t *pool = status->pool;
    const account_shared_t *shared = status->server->shared;
    int running, waiting;

    account_gate_load(shared->gate, &running, &waiting);
    add_number(status, "account_hash_slots", "Passwords that may be hashed at once",
               account_gate_slots(shared->gate));
    add_number(status, "account_hash_running", "Passwords that are hashed just now", running);
    add_number(status, "account_hash_waiting", "Requests that wait to hash a password", waiting);
    add_number(status, "account_children", "Processes that answer",
               account_counters_children(shared));
    add_sample(add_metric(status, "account_cache_hits_total", "counter",
                          "Look-ups that the cache could answer"),
               VALUE(account_counters_cache_hits(shared)));
    add_sample(add_metric(status, "account_cache_misses_total", "counter",
                          "Look-ups that the cache could not answer"),
               VALUE(account_counters_cache_misses(shared)));
}

/* What has never happened is left out: there are some hundred ways to end. */
static void add_requests(status_t *status)
{
    apr_pool_t *pool = status->pool;
    metric_t *metric = add_metric(status, "account_requests_total", "counter",
                                  "Requests that were answered, by action and outcome");
    const account_action_t *action;
    int outcome;

    for (action = account_actions; action->name; action++) {
        for (outcome = 0; outcome < ACCOUNT_OUTCOMES; outcome++) {
            apr_uint64_t count = account_counters_requests(status->server->shared, action, outcome);
            sample_t *sample = count ? add_sample(metric, VALUE(count)) : NULL;

            if (sample) {
                label(sample, 0, "action", action->name);
                label(sample, 1, "outcome", account_outcomes[outcome].name);
            }
        }
    }
}

static void collect(status_t *status)
{
    sample_t *build;

    take_census(status);
    build = add_sample(
        add_metric(status, "account_build_info", "gauge", "The version of mod_account"), "1");
    label(build, 0, "version", ACCOUNT_VERSION);
    add_databases(status);
    add_census(status);
    add_processes(status);
    add_requests(status);
}

/* Prometheus' text format 0.0.4: a label's value escapes \, " and newlines. */
static void write_label(account_buffer_t *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n') {
            account_buffer_add_text(out, "\\n");
            continue;
        }
        if (*value == '"' || *value == '\\') {
            account_buffer_add_text(out, "\\");
        }
        account_buffer_add(out, value, 1);
    }
}

static void write_text(const status_t *status, account_buffer_t *out)
{
    int i, j, k;

    for (i = 0; i < status->metrics->nelts; i++) {
        const metric_t *metric = &APR_ARRAY_IDX(status->metrics, i, metric_t);

        if (metric->samples->nelts == 0) {
            continue;
        }
        account_buffer_add_text(out, apr_psprintf(status->pool, "# HELP %s %s.\n# TYPE %s %s\n",
                                                  metric->name, metric->help, metric->name,
                                                  metric->type));
        for (j = 0; j < metric->samples->nelts; j++) {
            const sample_t *sample = &APR_ARRAY_IDX(metric->samples, j, sample_t);

            account_buffer_add_text(out, metric->name);
            for (k = 0; k < 2 && sample->labels[k][0]; k++) {
                account_buffer_add_text(out, k ? "," : "{");
                account_buffer_add_text(out, sample->labels[k][0]);
                account_buffer_add_text(out, "=\"");
                write_label(out, sample->labels[k][1]);
                account_buffer_add_text(out, "\"");
            }
            account_buffer_add_text(out, k ? "} " : " ");
            account_buffer_add_text(out, sample->value);
            account_buffer_add_text(out, "\n");
        }
    }
}

static void write_cell(const status_t *status, account_buffer_t *out, const char *before,
                       const char *text)
{
    account_buffer_add_text(out, before);
    account_buffer_add_text(out, ap_escape_html(status->pool, text));
}

/* One row for each action: how often it was answered as asked, and the refusals by their reason. */
static void write_requests(const status_t *status, const metric_t *metric, account_buffer_t *out)
{
    const char *action = NULL;
    int i;

    account_buffer_add_text(out, "<h2>Requests</h2>\n<table>\n<tr><th>action</th><th>"
                                 "how often, by outcome</th></tr>\n");
    for (i = 0; i < metric->samples->nelts; i++) {
        const sample_t *sample = &APR_ARRAY_IDX(metric->samples, i, sample_t);
        const char *outcome = sample->labels[1][1];

        if (!action || strcmp(action, sample->labels[0][1]) != 0) {
            account_buffer_add_text(out, action ? "</td></tr>\n" : "");
            action = sample->labels[0][1];
            write_cell(status, out, "<tr><td>", action);
            account_buffer_add_text(out, "</td><td>");
        }
        write_cell(status, out, "<span>", outcome);
        write_cell(status, out, " <b>", sample->value);
        account_buffer_add_text(out, "</b></span> ");
    }
    account_buffer_add_text(out, action ? "</td></tr>\n</table>\n"
                                        : "<tr><td>none yet</td><td></td></tr>\n</table>\n");
}

static void write_rows(const status_t *status, const metric_t *metric, account_buffer_t *out)
{
    int i, k;

    for (i = 0; i < metric->samples->nelts; i++) {
        const sample_t *sample = &APR_ARRAY_IDX(metric->samples, i, sample_t);

        write_cell(status, out, "<tr><td>", metric->help);
        for (k = 0; k < 2 && sample->labels[k][0]; k++) {
            write_cell(status, out, k ? ", " : ": ", sample->labels[k][1]);
        }
        write_cell(status, out, "</td><td>", sample->value);
        account_buffer_add_text(out, "</td></tr>\n");
    }
}

/* What Prometheus wants as a label of the number 1. */
static void write_version(const status_t *status, account_buffer_t *out)
{
    write_cell(status, out, "<tr><td>Version</td><td>", ACCOUNT_VERSION);
    account_buffer_add_text(out, "</td></tr>\n");
}

static void write_page(const status_t *status, account_buffer_t *out)
{
    static const char head[] =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n<title>Accounts</title>\n"
        "<style>body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em;"
        "color:#222;background:#fff}table{border-collapse:collapse;width:100%}"
        "td,th{text-align:left;vertical-align:top;padding:.3em 1em .3em 0;"
        "border-bottom:1px solid #ccc}span{display:inline-block;margin-right:1.5em}"
        ".down{color:#a00;font-weight:bold}</style>\n</head>\n<body>\n<h1>Accounts</h1>\n";
    apr_time_t since = account_counters_since(status->server->shared);
    char date[APR_RFC822_DATE_LEN];
    int i;

    account_buffer_add_text(out, head);
    write_cell(status, out, "<p>Realm ", status->server->realm);
    apr_rfc822_date(date, apr_time_now());
    write_cell(status, out, ", ", date);
    if (since) {
        apr_rfc822_date(date, since);
        write_cell(status, out, "; counted since ", date);
    }
    account_buffer_add_text(out, ".</p>\n");
    if (!status->is_up) {
        account_buffer_add_text(out, status->server->backend
                                         ? "<p class=\"down\">The database does not answer.</p>\n"
                                         : "<p class=\"down\">There is no AccountDatabase.</p>\n");
    }
    account_buffer_add_text(out, "<table>\n<tr><th>what</th><th>now</th></tr>\n");
    write_version(status, out);
    /* the first is the version, the last the requests: collect */
    for (i = 1; i < status->metrics->nelts - 1; i++) {
        write_rows(status, &APR_ARRAY_IDX(status->metrics, i, metric_t), out);
    }
    account_buffer_add_text(out, "</table>\n");
    write_requests(status, &APR_ARRAY_IDX(status->metrics, i, metric_t), out);
    account_buffer_add_text(out, "<p><a href=\"?auto\">For Prometheus</a></p>\n</body>\n</html>\n");
}

static void set_headers(request_rec *r, int is_page)
{
    ap_set_content_type(r, is_page ? "text/html; charset=utf-8"
                                   : "text/plain; version=0.0.4; charset=utf-8");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(r->headers_out, "Cross-Origin-Resource-Policy", "same-origin");
    apr_table_setn(r->headers_out, "Referrer-Policy", "no-referrer");
    apr_table_setn(r->headers_out, "X-Frame-Options", "DENY");
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
                   "base-uri 'none'; form-action 'none'");
}

/* Nobody comes here but by SetHandler; who may is said by Require. */
static int handler(request_rec *r)
{
    status_t status = {.pool = r->pool, .server = account_server_of(r->server)};
    /* Prometheus can't send a parameter without "=" */
    int is_text = r->args && (strcmp(r->args, "auto") == 0 || strcmp(r->args, "auto=") == 0);
    account_buffer_t out;

    if (!r->handler || strcmp(r->handler, HANDLER) != 0) {
        return DECLINED;
    }
    if (r->method_number != M_GET) { /* HEAD is one */
        ap_allow_methods(r, REPLACE_ALLOW, "GET", NULL);
        return HTTP_METHOD_NOT_ALLOWED;
    }
    status.metrics = apr_array_make(r->pool, 16, sizeof(metric_t));
    collect(&status);
    account_buffer_init(&out, 8192, r->pool);
    if (is_text) {
        write_text(&status, &out);
    }
    else {
        write_page(&status, &out);
    }
    set_headers(r, !is_text);
    ap_set_content_length(r, (apr_off_t)out.length);
    ap_rwrite(out.bytes, (int)out.length, r);
    return OK;
}

void account_status_register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
}
