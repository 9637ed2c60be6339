#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <string.h>

#include "httpd/policy.h"

APLOG_USE_MODULE(account);

#define HANDLER "account"

/* Whether one of the server's mounts has the path. Hooks ask before and after others could have
 * changed it. */
static int match(request_rec *r, account_match_t *match)
{
    const account_server_t *server = account_server_of(r->server);
    account_request_t *request;

    if (!server->backend || r->main || !r->uri || r->uri[0] != '/') {
        return 0;
    }
    request = account_request_of(r);
    if (!request->tried_path || request->tried_method != r->method
        || strcmp(request->tried_path, r->uri) != 0) {
        request->tried_path = apr_pstrdup(r->pool, r->uri);
        request->tried_method = r->method;
        request->is_found =
            account_router_match(server->router, r->uri, r->method, &request->found, r->pool);
    }
    *match = request->found;
    return request->is_found;
}

/* Redirects and rewrites of the server see the query that was kept from the logs so far. */
static int give_back_query(request_rec *r)
{
    account_request_t *request = account_request_of(r);

    if (request->query) {
        r->args = apr_pstrdup(r->pool, request->query);
    }
    return DECLINED;
}

/* What is ours does not go to the application behind "ProxyPass /". */
static int keep_from_proxy(request_rec *r)
{
    account_match_t ignored;

    if (match(r, &ignored)) {
        apr_table_setn(r->subprocess_env, "no-proxy", "1");
    }
    return DECLINED;
}

/* Nothing of ours is a file, so no folder is walked. Redirects and rewrites of the server have had
 * their turn: they decide before a mount does. */
static int map_to_storage(request_rec *r)
{
    account_request_t *request = account_request_of(r);

    if (r->proxyreq || !match(r, &request->match)) {
        return DECLINED;
    }
    request->matched = 1;
    request->query = r->args; /* by now the one that a rewrite has made of it */
    r->args = NULL;
    r->handler = HANDLER;
    return OK;
}

/* A mount in a <Directory> or .htaccess is known only now, with the folders walked and before
 * access control; its path is the directory's address. */
static int header_parser(request_rec *r)
{
    const account_server_t *server = account_server_of(r->server);
    const account_directory_t *directory = account_directory_of(r);
    account_request_t *request = account_request_of(r);
    apr_size_t length;
    const char *path, *rest, *missing;

    if (request->matched || r->main || !directory->mounts || !r->filename
        || strncmp(r->filename, directory->directory, strlen(directory->directory)) != 0) {
        return DECLINED;
    }
    if (!server->backend) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      ACLOGNO(00222) "AccountMount in %s needs AccountDatabase and "
                                     "AccountSecretFile in the server's configuration",
                      directory->directory);
        return DECLINED;
    }
    if (server->cookie_remove) {
        account_secrecy_take_out_cookies(r, account_request_cookie_names(r, server->taken_out));
    }
    path = apr_pstrcat(r->pool, r->filename, r->path_info, NULL);
    rest = path + strlen(directory->directory) - 1;
    if (!account_router_match(account_router_make(directory->mounts, r->pool), rest, r->method,
                              &request->match, r->pool)) {
        return DECLINED;
    }
    missing = account_needs_missing(server, request->match.route, r->pool);
    if (missing) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      ACLOGNO(00218) "AccountMount in %s: the route %s of the contract %s %s",
                      directory->directory, request->match.route->name,
                      request->match.mount->contract->name, missing);
        return DECLINED;
    }
    /* %{mount} is what of the address lies before the rest */
    length = strlen(r->uri) > strlen(rest) ? strlen(r->uri) - strlen(rest) : 0;
    request->mount = *request->match.mount;
    request->mount.path = apr_pstrmemdup(r->pool, r->uri, length);
    request->match.mount = &request->mount;
    request->matched = 1;
    request->in_directory = 1;
    request->args = r->args;
    request->filename = r->filename;
    r->finfo.filetype = APR_REG; /* nobody looks for an index, a fallback or a folder's slash */
    return OK;
}

/* The name of a route is no file's, so it has neither a type nor variants. */
static int type_checker(request_rec *r)
{
    return account_request_of(r)->in_directory ? OK : DECLINED;
}

/* WordPress and the like rewrite whatever is no file to their index.php, and mod_rewrite has done
 * so by now. What it refused or redirected has not come here: that decides before a mount does. */
static int fixups(request_rec *r)
{
    const account_request_t *request = account_request_of(r);

    if (!request->in_directory) {
        return DECLINED;
    }
    r->args = request->args;
    r->filename = request->filename;
    r->proxyreq = PROXYREQ_NONE;
    r->handler = HANDLER;
    return OK;
}

/* Before the body is read. ACCOUNT_OK: go on. */
static account_outcome_e refuse_early(request_rec *r, const account_server_t *server,
                                      account_exchange_t *x)
{
    const account_route_t *route = x->match->route;
    const char *length = apr_table_get(r->headers_in, "Content-Length");
    int has_body =
        (length && strcmp(length, "0") != 0) || apr_table_get(r->headers_in, "Transfer-Encoding");

    if (route->action->changes && !account_edge_allows(r, server)) {
        return ACCOUNT_CROSS_SITE;
    }
    if (!x->match->method_known) {
        return ACCOUNT_BAD_METHOD;
    }
    if (length && (strlen(length) > 18 || apr_atoi64(length) > server->body_limit)) {
        return ACCOUNT_TOO_LARGE;
    }
    x->body_type = account_request_type(apr_table_get(r->headers_in, "Content-Type"), r->pool);
    return has_body && (x->body_type == ACCOUNT_BODY_OTHER || x->body_type == ACCOUNT_BODY_NONE)
               ? ACCOUNT_BAD_TYPE
               : ACCOUNT_OK;
}

/* Secrets in the address of a mount that the server did not know in time: httpd has them in its
 * logs. */
static account_outcome_e refuse_query_secrets(request_rec *r, account_exchange_t *x,
                                              account_request_t *request)
{
    if (!request->in_directory || !x->match->route->takes_secrets
        || account_directory_of(r)->query_secrets == 1) {
        return ACCOUNT_OK;
    }
    x->query = NULL;
    request->match.allow = "POST";
    return strcmp(r->method, "POST") == 0 ? ACCOUNT_OK : ACCOUNT_BAD_METHOD;
}

/* *status: OK, or what httpd has to say of a body that did not come (in time). */
static account_outcome_e read_body(request_rec *r, const account_server_t *server,
                                   account_exchange_t *x, int *status)
{
    int is_known = x->body_type == ACCOUNT_BODY_FORM || x->body_type == ACCOUNT_BODY_JSON;
    int rv = account_body_read(r, server->body_limit, &x->body, &x->body_length);

    *status = rv == HTTP_REQUEST_ENTITY_TOO_LARGE || rv == HTTP_BAD_REQUEST ? OK : rv;
    return rv == HTTP_REQUEST_ENTITY_TOO_LARGE ? ACCOUNT_TOO_LARGE
           : rv != OK                          ? ACCOUNT_BAD_REQUEST
           : x->body_length > 0 && !is_known   ? ACCOUNT_BAD_TYPE
                                               : ACCOUNT_OK;
}

void account_handler_prepare(request_rec *r, account_exchange_t *x)
{
    const account_server_t *server = account_server_of(r->server);
    account_request_t *request = account_request_of(r);

    *x = (account_exchange_t){
        .match = &request->match,
        .store = account_request_store(r),
        .settings = &server->settings,
        .gate = server->shared->gate,
        .query = r->args ? r->args : request->query,
        .caller = &account_request_sent(r)->caller,
        .cookie_names = account_request_cookie_names(r, server->cookie_names),
        .address = r->useragent_ip,
        .agent = apr_table_get(r->headers_in, "User-Agent"),
    };
}

/* The body was slow: whoever was found before it, for a Require or an expression, may have logged
 * out since. */
static void ask_again(request_rec *r, account_exchange_t *x)
{
    account_request_store(r)->now = apr_time_as_msec(apr_time_now());
    x->caller->is_known = 0;
}

static int handler(request_rec *r)
{
    const account_server_t *server = account_server_of(r->server);
    account_request_t *request = account_request_of(r);
    account_exchange_t x;
    account_response_t response = {0};
    account_outcome_e refusal;
    int status;

    /* Not by r->handler: a SetHandler around the mount may have replaced it. What is redirected
     * inside the server (an error page, an SSI include) never changes state. */
    if (!request->matched || r->main || (r->prev && request->match.route->action->changes)) {
        return DECLINED;
    }
    if (r->assbackwards) {
        return HTTP_BAD_REQUEST; /* HTTP/0.9 has no headers, so nobody knows who asks */
    }
    if (r->method_number == M_OPTIONS) {
        return account_policy_options(r, server, &request->match);
    }
    account_handler_prepare(r, &x);
    refusal = refuse_query_secrets(r, &x, request);
    if (refusal == ACCOUNT_OK) {
        refusal = refuse_early(r, server, &x);
    }
    if (refusal == ACCOUNT_OK) {
        apr_time_t begun = apr_time_now();

        refusal = read_body(r, server, &x, &status);
        if (status != OK) {
            return status;
        }
        if (apr_time_now() - begun > apr_time_from_sec(1)) {
            ask_again(r, &x);
        }
    }
    if (refusal == ACCOUNT_TOO_LARGE) {
        r->connection->keepalive = AP_CONN_CLOSE; /* the rest of the body stays unread */
    }
    if (refusal == ACCOUNT_OK && !x.store->database) {
        refusal = ACCOUNT_UNAVAILABLE;
    }
    if (refusal == ACCOUNT_OK) {
        account_request_store(r); /* a new deadline: the body may have been slow */
        account_engine_answer(&x, &response);
    }
    else {
        account_engine_refuse(&x, refusal, &response);
    }
    return account_reply_send(r, server, &x, &response);
}

void account_handler_register_hooks(apr_pool_t *pool)
{
    static const char *const redirects[] = {"mod_rewrite.c", "mod_alias.c", NULL};
    static const char *const rewrite[] = {"mod_rewrite.c", NULL};
    static const char *const proxy[] = {"mod_proxy.c", NULL};
    static const char *const negotiation[] = {"mod_negotiation.c", NULL};

    (void)pool;
    ap_hook_translate_name(give_back_query, NULL, redirects, APR_HOOK_REALLY_FIRST);
    ap_hook_pre_translate_name(keep_from_proxy, NULL, proxy, APR_HOOK_FIRST);
    ap_hook_translate_name(keep_from_proxy, rewrite, proxy, APR_HOOK_FIRST);
    ap_hook_map_to_storage(map_to_storage, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_header_parser(header_parser, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_type_checker(type_checker, NULL, negotiation, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(fixups, rewrite, NULL, APR_HOOK_FIRST);
    ap_hook_handler(handler, NULL, proxy, APR_HOOK_FIRST);
}
