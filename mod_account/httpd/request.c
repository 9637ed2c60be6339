#include "httpd/request.h"

#include <apr_strings.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <string.h>
#include <util_filter.h>

#include "base/clock.h"
#include "contract/request.h"
#include "httpd/cache.h"
#include "httpd/glue.h"

APLOG_USE_MODULE(account);

/* From the first question to the database or the gate on: whoever waits longer gets 503. */
#define PATIENCE apr_time_from_msec(2500)

/* In lower case, as httpd keeps it. */
#define OUTPUT_FILTER "account_unknown"

account_request_t *account_request_of(request_rec *r)
{
    account_request_t *request = ap_get_module_config(r->request_config, &account_module);

    if (!request) {
        request = apr_pcalloc(r->pool, sizeof(*request));
        ap_set_module_config(r->request_config, &account_module, request);
    }
    return request;
}

request_rec *account_request_original(request_rec *r)
{
    while (r->prev || r->main) {
        r = r->prev ? r->prev : r->main;
    }
    return r;
}

account_request_t *account_request_sent(request_rec *r)
{
    return account_request_of(account_request_original(r));
}

account_store_t *account_request_store(request_rec *r)
{
    request_rec *original = account_request_original(r);
    const account_server_t *server = account_server_of(original->server);
    account_store_t *store = &account_request_of(original)->store;

    if (!store->pool && server->backend) {
        *store = (account_store_t){
            .database = server->backend->database,
            .database_number = server->backend->number,
            .realm = server->realm,
            .keys = server->keys,
            .random = &account_random_secure,
            .log = &server->backend->log,
            .cache = account_cache_of_sessions(server->shared),
            .closing = &account_request_of(original)->closing,
            .now = apr_time_as_msec(original->request_time),
            .pool = original->pool,
        };
        *store->closing = (account_closing_t){server->shared->fence, NULL, original->pool};
    }
    store->deadline = account_clock_monotonic() + PATIENCE;
    return store;
}

const apr_array_header_t *account_request_cookie_names(request_rec *r,
                                                       const apr_array_header_t *all)
{
    const apr_array_header_t *mounts = account_directory_of(r)->mounts;
    apr_array_header_t *names;
    int i;

    if (!mounts) {
        return all;
    }
    /* the look-up remembers them, and outlives a sub-request */
    names = apr_array_copy(account_request_original(r)->pool, all);
    for (i = 0; i < mounts->nelts; i++) {
        account_cookie_add(names, APR_ARRAY_IDX(mounts, i, account_mount_t *)->contract->cookie);
    }
    return names;
}

/* Of this request, or of one that it is the sequel of: then it is what was made of no answer. */
static int is_unknown(request_rec *r)
{
    for (; r; r = r->prev) {
        if (account_request_of(r)->is_unknown) {
            return 1;
        }
    }
    return 0;
}

/* Whether a filter of that name, in lower case, is on the way out. */
static int has_filter(request_rec *r, const char *name)
{
    const ap_filter_t *filter = r->output_filters;

    while (filter && strcmp(filter->frec->name, name) != 0) {
        filter = filter->next;
    }
    return filter != NULL;
}

/* Of no sub-request: its filters are its owner's too. */
static void watch_output(request_rec *r)
{
    if (!has_filter(r, OUTPUT_FILTER)) {
        ap_add_output_filter(OUTPUT_FILTER, NULL, r, r->connection);
    }
}

static void set_retry(request_rec *r)
{
    apr_table_setn(r->err_headers_out, "Retry-After", APR_STRINGIFY(ACCOUNT_RETRY_AFTER));
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
}

int account_request_fail(request_rec *r)
{
    request_rec *whole;

    for (whole = r; whole; whole = whole->main) {
        account_request_of(whole)->is_unknown = 1;
        if (!whole->main) {
            set_retry(whole);
            watch_output(whole);
        }
    }
    return HTTP_SERVICE_UNAVAILABLE;
}

void account_request_make_private(request_rec *r)
{
    while (r->main) {
        r = r->main;
    }
    /* an expression may be asked last of all, of a reply that nobody is to keep */
    if (!ap_find_token(r->pool, apr_table_get(r->err_headers_out, "Cache-Control"), "no-store")) {
        apr_table_setn(r->err_headers_out, "Cache-Control", "private");
    }
}

/* The contract's own cookie counts first. */
static const char *own_cookie(request_rec *r, const account_request_t *original)
{
    const account_request_t *request = account_request_of(r);

    return request->matched ? request->match.mount->contract->cookie : original->own;
}

const account_identity_t *account_request_caller(request_rec *r)
{
    request_rec *original = account_request_original(r);
    account_request_t *first = account_request_of(original);
    account_store_t *store;
    account_identity_t *identity;
    apr_status_t rv;

    if (!account_server_of(original->server)->backend) {
        return NULL;
    }
    store = account_request_store(r);
    rv = store->database ? account_caller_find(
             &first->caller, store,
             account_request_cookie_names(r, account_server_of(r->server)->cookie_names),
             own_cookie(r, first))
                         : ACCOUNT_EDATABASE;
    if (rv != APR_SUCCESS) {
        int known = ACCOUNT_STATUS_IS_OURS(rv);

        ap_log_rerror(APLOG_MARK, known ? APLOG_INFO : APLOG_ERR, known ? 0 : rv, r,
                      ACLOGNO(00260) "who sends this can't be found out now: 503");
        account_request_fail(r);
        return NULL;
    }
    if (!first->caller.session) {
        return NULL;
    }
    account_request_make_private(r);
    identity = apr_pcalloc(r->pool, sizeof(*identity));
    identity->account = first->caller.account;
    identity->session = first->caller.session;
    return identity;
}

const account_identity_t *account_request_identity(request_rec *r)
{
    const char *user = r->user;

    /* what needs no authentication of its own inherits the pointer */
    for (; r && user; r = r->prev ? r->prev : r->main) {
        const account_identity_t *identity = account_request_of(r)->identity;

        if (identity && identity->user == user) {
            return identity;
        }
    }
    return NULL;
}

static int refuse_unknown(request_rec *r)
{
    return account_request_of(r)->is_unknown ? HTTP_SERVICE_UNAVAILABLE : DECLINED;
}

static int begin_answer(request_rec *r)
{
    account_request_of(r)->is_being_answered = 1;
    return refuse_unknown(r);
}

/*
 * The last word: what was made of an expression that nobody could answer is no answer, be it a
 * redirect by mod_rewrite or a refusal by mod_authz_core, of which no other hook hears, or a page
 * that asked while it was written. Where it has gone out already it breaks off, so that the client
 * knows.
 */
static apr_status_t filter_output(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    request_rec *r = filter->r;
    apr_bucket_alloc_t *buckets = r->connection->bucket_alloc;
    /* mod_proxy sets the one too early, HTTP/2 has not the other */
    int has_begun = r->sent_bodyct && !has_filter(r, "http_header");
    request_rec *any;

    if (filter->ctx) { /* broken off */
        apr_brigade_cleanup(brigade);
        return APR_SUCCESS;
    }
    if (!is_unknown(r)) {
        return ap_pass_brigade(filter->next, brigade);
    }
    if (r->status >= HTTP_INTERNAL_SERVER_ERROR) {
        ap_remove_output_filter(filter);
        if (!has_begun && !apr_table_get(r->headers_out, "Retry-After")) {
            set_retry(r); /* what was set before is lost with a reply that was taken back */
        }
        return ap_pass_brigade(filter->next, brigade);
    }
    filter->ctx = filter;
    for (any = r; any && !has_begun; any = any->prev) {
        any->status = HTTP_OK; /* else the 503 would be a fault of the error page's */
    }
    r->connection->keepalive = has_begun ? AP_CONN_CLOSE : r->connection->keepalive;
    r->output_filters = has_begun ? r->output_filters : filter->next;
    apr_brigade_cleanup(brigade);
    APR_BRIGADE_INSERT_TAIL(
        brigade, ap_bucket_error_create(has_begun ? HTTP_BAD_GATEWAY /* the chunk filter's sign */
                                                  : HTTP_SERVICE_UNAVAILABLE,
                                        NULL, r->pool, buckets));
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(buckets));
    return ap_pass_brigade(filter->next, brigade);
}

/* Whether the request shows a session, dead or alive. */
static int shows_session(request_rec *r)
{
    const account_request_t *sent = account_request_sent(r);
    const char *cookies = sent->caller.cookies;
    const apr_array_header_t *names;
    int i;

    if (sent->caller.session) {
        return 1;
    }
    names = account_request_cookie_names(r, account_server_of(r->server)->cookie_names);
    for (i = 0; cookies && i < names->nelts; i++) {
        if (account_request_cookies(cookies, APR_ARRAY_IDX(names, i, const char *), 1, r->pool)
                ->nelts) {
            return 1;
        }
    }
    return 0;
}

static void insert_filter(request_rec *r)
{
    if (r->main) {
        return;
    }
    if (is_unknown(r)) {
        watch_output(r);
    }
    else if (account_server_of(r->server)->backend && shows_session(r)) {
        watch_output(r);
        if (has_filter(r, "includes")) {
            /* the page's headers are gone before its parts are asked for, who may be guarded */
            account_request_make_private(r);
        }
    }
}

static void insert_error_filter(request_rec *r)
{
    if (!r->main && is_unknown(r)) {
        watch_output(r);
    }
}

void account_request_register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_fixups(refuse_unknown, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(begin_answer, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* behind whatever makes content or headers (mod_headers), before what sends them */
    ap_register_output_filter(OUTPUT_FILTER, filter_output, NULL, AP_FTYPE_PROTOCOL - 1);
    ap_hook_insert_filter(insert_filter, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_insert_error_filter(insert_error_filter, NULL, NULL, APR_HOOK_REALLY_LAST);
}
