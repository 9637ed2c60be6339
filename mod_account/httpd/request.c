#include "httpd/request.h"

#include <apr_strings.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

#include "base/clock.h"
#include "httpd/glue.h"

APLOG_USE_MODULE(account);

/* From the first question to the database or the gate on: whoever waits longer gets 503. */
#define PATIENCE apr_time_from_msec(2500)

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

account_store_t *account_request_store(request_rec *r)
{
    request_rec *original = account_request_original(r);
    const account_server_t *server = account_server_of(original->server);
    account_store_t *store = &account_request_of(original)->store;

    if (!store->pool && server->backend) {
        *store = (account_store_t){
            .database = server->backend->database,
            .realm = server->realm,
            .keys = server->keys,
            .random = &account_random_secure,
            .log = &server->backend->log,
            .now = apr_time_as_msec(original->request_time),
            .pool = original->pool,
        };
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
    names = apr_array_copy(r->pool, all);
    for (i = 0; i < mounts->nelts; i++) {
        account_cookie_add(names, APR_ARRAY_IDX(mounts, i, account_mount_t *)->contract->cookie);
    }
    return names;
}

int account_request_fail(request_rec *r)
{
    request_rec *whole;

    for (whole = r; whole; whole = whole->main) {
        account_request_of(whole)->is_unknown = 1;
        apr_table_setn(whole->err_headers_out, "Retry-After", APR_STRINGIFY(ACCOUNT_RETRY_AFTER));
    }
    return HTTP_SERVICE_UNAVAILABLE;
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
    first->caller.cookies = first->cookies;
    rv = store->database ? account_caller_find(
             &first->caller, store,
             account_request_cookie_names(r, account_server_of(r->server)->cookie_names),
             own_cookie(r, first))
                         : ACCOUNT_EDATABASE;
    if (rv != APR_SUCCESS) {
        int known = rv >= APR_OS_START_USERERR; /* and logged by the core, once */

        ap_log_rerror(APLOG_MARK, known ? APLOG_INFO : APLOG_ERR, known ? 0 : rv, r,
                      ACLOGNO(00260) "who sends this can't be found out now: 503");
        account_request_fail(r);
        return NULL;
    }
    if (!first->caller.session) {
        return NULL;
    }
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

void account_request_register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_fixups(refuse_unknown, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(refuse_unknown, NULL, NULL, APR_HOOK_REALLY_FIRST);
}
