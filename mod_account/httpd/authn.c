#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <string.h>

#include "httpd/claims.h"
#include "httpd/glue.h"

APLOG_USE_MODULE(account);

/*
 * AuthType Account: the session that an API call opened says who asks for a file, a script or what
 * is behind a proxy. Its owner is known before authorization asks, so that who lacks a role is
 * refused (403) and only who is not signed in is asked to sign in.
 */

#define AUTH_TYPE "Account"

static int is_ours(request_rec *r)
{
    const char *type = ap_auth_type(r);

    return type && strcasecmp(type, AUTH_TYPE) == 0;
}

int account_identity_set(request_rec *r, const account_identity_t *found)
{
    account_identity_t *identity = apr_pmemdup(r->pool, found, sizeof(*identity));

    identity->user = account_claim_user(r, identity);
    if (!identity->user) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      ACLOGNO(00263) "account %" APR_INT64_T_FMT " has not (or not proven) what "
                                     "AccountUserField takes for a name",
                      identity->account->id);
        return 0;
    }
    r->user = (char *)identity->user;
    account_request_of(r)->identity = identity;
    return 1;
}

static int check_access(request_rec *r)
{
    const account_identity_t *identity;

    if (!is_ours(r)) {
        return DECLINED;
    }
    if (!account_server_of(r->server)->backend) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      ACLOGNO(00261) "AuthType Account needs AccountDatabase and AccountSecretFile "
                                     "in the server's configuration");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    identity = account_request_caller(r);
    if (account_request_of(r)->is_unknown) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    if (identity) {
        if (!account_identity_set(r, identity)) {
            return HTTP_FORBIDDEN;
        }
        r->ap_auth_type = (char *)AUTH_TYPE;
    }
    return DECLINED;
}

/* A browser that goes to an address, and not a script's fetch or a program. */
static int is_navigation(request_rec *r)
{
    const char *mode = apr_table_get(r->headers_in, "Sec-Fetch-Mode");
    const char *accept = apr_table_get(r->headers_in, "Accept");

    if (mode) {
        return strcasecmp(mode, "navigate") == 0;
    }
    return accept && ap_strcasestr(accept, "text/html")
           && !apr_table_get(r->headers_in, "X-Requested-With");
}

/* Whether the place is there to be asked by another server: the address that somebody wants is not
 * this request's. */
static int is_asked_by_proxy(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);

    return core->handler && strcmp(core->handler, ACCOUNT_FORWARD_HANDLER) == 0;
}

/* The address that was asked for, without scheme and host: whatever it is made of, it leads to this
 * site. NULL: there is none to return to. */
static const char *return_address(request_rec *r)
{
    request_rec *original = account_request_original(r);
    const char *address = original->unparsed_uri;

    if (is_asked_by_proxy(r)) {
        address = apr_table_get(r->headers_in, "X-Forwarded-Uri");
    }
    else if (original->method_number != M_GET) {
        return NULL;
    }
    else if (original->parsed_uri.hostname) {
        address = apr_uri_unparse(r->pool, &original->parsed_uri, APR_URI_UNP_OMITSITEPART);
    }
    if (!address || *address != '/') {
        return NULL;
    }
    /* to a browser //host and /\host are another site */
    return address + strspn(address, "/\\") - 1;
}

/* Where to sign in, and where to go then; NULL: nowhere, or this is no browser. */
static const char *login_location(request_rec *r)
{
    const account_server_t *server = account_server_of(r->server);
    const char *page = account_directory_of(r)->login_page;
    const char *address;
    apr_size_t length;

    if (!page || !*page || !is_navigation(r)
        || (is_asked_by_proxy(r) && !apr_table_get(r->headers_in, "X-Forwarded-Uri"))) {
        return NULL;
    }
    length = strcspn(page, "?");
    if (*page == '/' && strncmp(r->uri, page, length) == 0 && !r->uri[length]) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      ACLOGNO(00264) "AccountLoginPage %s can't be seen by who is not signed in: "
                                     "give it a <Location> with Require all granted",
                      page);
        return NULL;
    }
    address = return_address(r);
    if (!address) {
        return page;
    }
    if (*page != '/' && server->public_origin) {
        address = apr_pstrcat(r->pool, server->public_origin, address, NULL);
    }
    return apr_pstrcat(r->pool, page, page[length] ? "&return=" : "?return=",
                       ap_escape_urlencoded(r->pool, address), NULL);
}

static int note_failure(request_rec *r, const char *type)
{
    if (strcasecmp(type, AUTH_TYPE) != 0) {
        return DECLINED;
    }
    apr_table_setn(
        r->err_headers_out, "WWW-Authenticate",
        apr_psprintf(r->pool, AUTH_TYPE " realm=\"%s\"",
                     ap_auth_name(r) ? ap_auth_name(r) : account_server_of(r->server)->realm));
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    return OK;
}

/* The contract's own way to say it; 0: the route has none. */
static int refuse_by_contract(request_rec *r)
{
    account_request_t *request = account_request_of(r);
    account_response_t response = {0};
    account_exchange_t x;

    if (!request->matched || !request->match.route->replies[ACCOUNT_NOT_LOGGED_IN]) {
        return 0;
    }
    account_handler_prepare(r, &x);
    account_engine_refuse(&x, ACCOUNT_NOT_LOGGED_IN, &response);
    account_reply_send(r, account_server_of(r->server), &x, &response);
    return 1;
}

/* Nobody is signed in, or not recently enough. */
static int check_authn(request_rec *r)
{
    const account_request_t *request = account_request_of(r);
    const char *location;

    if (!is_ours(r)) {
        return DECLINED;
    }
    if (request->is_unknown) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    if (r->user && !request->is_stale) {
        return OK; /* somebody else's Require wanted it asked again */
    }
    if (refuse_by_contract(r)) {
        return DONE;
    }
    location = login_location(r);
    if (location) {
        apr_table_setn(r->headers_out, "Location", location);
        apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
        return HTTP_SEE_OTHER;
    }
    note_failure(r, AUTH_TYPE);
    return HTTP_UNAUTHORIZED;
}

/* Who is known and was refused, wherever in the chain of redirects that was. */
static int log_refusal(request_rec *r)
{
    for (; r; r = r->next) {
        const account_identity_t *identity =
            r->request_config && r->status == HTTP_FORBIDDEN ? account_request_identity(r) : NULL;

        if (identity) {
            account_audit_event(r, "authz_fail", identity->account, "refused by Require");
            break;
        }
    }
    return DECLINED;
}

const char *account_authn_set_login_page(cmd_parms *cmd, void *directory, const char *page)
{
    account_directory_t *config = directory;
    const char *c;

    config->login_page = "";
    if (strcasecmp(page, "off") == 0) {
        return NULL;
    }
    for (c = page; *c > ' ' && *c < 127 && !strchr("\"#<>\\^`{|}", *c); c++) {
    }
    if (*c || (*page == '/' ? page[1] == '/' : !account_origin_of(page, cmd->pool))) {
        return apr_psprintf(cmd->pool,
                            "AccountLoginPage: \"%s\" is no address: write it as /signin.html or "
                            "https://shop.example/signin",
                            page);
    }
    config->login_page = page;
    return NULL;
}

void account_authn_register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_check_access(check_access, NULL, NULL, APR_HOOK_MIDDLE, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_authn(check_authn, NULL, NULL, APR_HOOK_MIDDLE, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_note_auth_failure(note_failure, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_log_transaction(log_refusal, NULL, NULL, APR_HOOK_MIDDLE);
}
