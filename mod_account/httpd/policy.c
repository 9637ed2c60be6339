#include "httpd/policy.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <string.h>
#include <util_filter.h>

#include "contract/origin.h"

/*
 * What browsers may do with our replies. All headers stand in err_headers_out, which httpd sends
 * with its own error pages too, and are put there again where httpd makes one before it comes to
 * our handler; a filter at the end sees to it that none is sent twice.
 */

#define FILTER "ACCOUNT_POLICY"
/* How long a browser remembers the answer to its preflight, in seconds. */
#define PREFLIGHT_LIFE "600"

typedef struct header_t {
    const char *name;
    const char *program; /* its value for what is no page; that is for programs */
    const char *page;
} header_t;

/*
 * A page may send its own form (under no-referrer Chromium would say "Origin: null" then), and that
 * is all that it may; its own address, which has the token, goes into no Referer.
 */
static const header_t table[] = {
    {"Cache-Control", "no-store", "no-store"},
    {"X-Content-Type-Options", "nosniff", "nosniff"},
    {"X-Frame-Options", "DENY", "DENY"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'",
     "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; "
     "base-uri 'none'"},
    {"Referrer-Policy", "no-referrer", "strict-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin", "same-origin"},
};

static int is_ours(request_rec *r)
{
    const account_server_t *server = account_server_of(r->server);
    const account_request_t *request =
        r->request_config ? ap_get_module_config(r->request_config, &account_module) : NULL;
    account_match_t ignored;
    const char *path;

    if (request && request->matched) {
        return 1;
    }
    path = server->backend && !r->main ? account_secrecy_path(r) : NULL;
    return path
           && account_router_match(server->router, path, r->method ? r->method : "GET", &ignored,
                                   r->pool);
}

/* Without these the browser keeps the reply from the page that asked. Vary also where the origin is
 * not listed: a cache must not give its reply to one that is. */
static void set_cors(request_rec *r, const account_server_t *server)
{
    const char *origin = apr_table_get(r->headers_in, "Origin");

    if (!server->sites.allowed || server->sites.allowed->nelts == 0) {
        return;
    }
    if (!ap_find_token(r->pool, apr_table_get(r->err_headers_out, "Vary"), "Origin")) {
        apr_table_mergen(r->err_headers_out, "Vary", "Origin");
    }
    if (account_origin_is_listed(origin, server->sites.allowed)) {
        apr_table_setn(r->err_headers_out, "Access-Control-Allow-Origin", origin);
        apr_table_setn(r->err_headers_out, "Access-Control-Allow-Credentials", "true");
        apr_table_setn(r->err_headers_out, "Access-Control-Expose-Headers", "Retry-After");
        apr_table_setn(r->err_headers_out, "Cross-Origin-Resource-Policy", "cross-origin");
    }
}

void account_policy_set(request_rec *r, const account_server_t *server, int is_page)
{
    apr_size_t i;

    for (i = 0; i < sizeof(table) / sizeof(*table); i++) {
        apr_table_setn(r->err_headers_out, table[i].name,
                       is_page ? table[i].page : table[i].program);
    }
    set_cors(r, server);
}

static int is_preflight(request_rec *r, const account_server_t *server)
{
    return r->method_number == M_OPTIONS
           && apr_table_get(r->headers_in, "Access-Control-Request-Method") && server->sites.allowed
           && account_origin_is_listed(apr_table_get(r->headers_in, "Origin"),
                                       server->sites.allowed);
}

int account_policy_options(request_rec *r, const account_server_t *server,
                           const account_match_t *match)
{
    set_cors(r, server);
    apr_table_setn(r->headers_out, "Allow", apr_pstrcat(r->pool, match->allow, ", OPTIONS", NULL));
    if (is_preflight(r, server)) {
        apr_table_setn(r->err_headers_out, "Access-Control-Allow-Methods", match->allow);
        apr_table_setn(r->err_headers_out, "Access-Control-Allow-Headers",
                       "Content-Type, X-Requested-With");
        apr_table_setn(r->err_headers_out, "Access-Control-Max-Age", PREFLIGHT_LIFE);
        r->status = HTTP_NO_CONTENT;
        return OK;
    }
    ap_set_content_length(r, 0);
    return OK;
}

/* A browser never sends a cookie or a password with its preflight: where an AuthType asks for one,
 * the request that it wants to send would never come. The answer says which methods there are, and
 * the request itself is asked everything. */
static int let_preflight_in(request_rec *r)
{
    return account_request_of(r)->matched && !r->main && ap_auth_type(r)
                   && is_preflight(r, account_server_of(r->server))
               ? OK
               : DECLINED;
}

/* "Header set" of mod_headers, mod_expires and the like work on the other table: what is said here
 * counts ("Header always set" changes this one, and so counts more). */
static apr_status_t filter(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    request_rec *r = f->r;
    apr_size_t i;

    for (i = 0; i < sizeof(table) / sizeof(*table); i++) {
        if (apr_table_get(r->err_headers_out, table[i].name)) {
            apr_table_unset(r->headers_out, table[i].name);
        }
    }
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, brigade);
}

static int fixups(request_rec *r)
{
    account_request_t *request = account_request_of(r);

    if (request->matched && !r->main) {
        account_policy_set(r, account_server_of(r->server), 0);
        request->has_policy = 1;
        ap_add_output_filter(FILTER, NULL, r, r->connection);
    }
    return DECLINED;
}

/* httpd is about to make an error page of its own; what was set and added so far may be gone. */
static void insert_error_filter(request_rec *r)
{
    if (is_ours(r)) {
        account_policy_set(r, account_server_of(r->server), 0);
    }
}

void account_policy_register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_register_output_filter(FILTER, filter, NULL, AP_FTYPE_PROTOCOL - 1);
    ap_hook_check_access_ex(let_preflight_in, NULL, NULL, APR_HOOK_REALLY_FIRST,
                            AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_fixups(fixups, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_insert_error_filter(insert_error_filter, NULL, NULL, APR_HOOK_FIRST);
}
