#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <string.h>

#include "base/clock.h"
#include "httpd/policy.h"

APLOG_USE_MODULE(account);

#define HANDLER "account"
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

/* Whether one of the server's mounts has the path. */
static int match(request_rec *r, account_match_t *match)
{
    const account_server_t *server = account_server_of(r->server);

    return server->backend && !r->main && r->uri && r->uri[0] == '/'
           && account_engine_match(server->mounts, r->uri, r->method, match, r->pool);
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

/* Names of the realm's cookies, and those of what a directory mounts (or NULL). */
static const apr_array_header_t *cookie_names(const apr_array_header_t *realm,
                                              const apr_array_header_t *mounts, apr_pool_t *pool)
{
    apr_array_header_t *names;
    int i;

    if (!mounts) {
        return realm;
    }
    names = apr_array_copy(pool, realm);
    for (i = 0; i < mounts->nelts; i++) {
        account_cookie_add(names, APR_ARRAY_IDX(mounts, i, account_mount_t *)->contract->cookie);
    }
    return names;
}

/* A mount in a <Directory> or .htaccess is known only now; its path is the directory's address. */
static int fixups(request_rec *r)
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
        account_secrecy_take_out_cookies(
            r, cookie_names(server->taken_out, directory->mounts, r->pool));
    }
    path = apr_pstrcat(r->pool, r->filename, r->path_info, NULL);
    rest = path + strlen(directory->directory) - 1;
    if (!account_engine_match(directory->mounts, rest, r->method, &request->match, r->pool)) {
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
    r->handler = HANDLER;
    return OK;
}

/* The first request of a chain of internal redirects: it is the one that the client sent. */
static request_rec *original_of(request_rec *r)
{
    while (r->prev) {
        r = r->prev;
    }
    return r;
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

/* What the engine works on, but for the body. */
static void prepare(request_rec *r, account_request_t *request, account_store_t *store,
                    account_exchange_t *x)
{
    const account_server_t *server = account_server_of(r->server);
    const account_request_t *original = account_request_of(original_of(r));

    *store = (account_store_t){
        .database = server->backend->database,
        .realm = server->realm,
        .keys = server->keys,
        .random = &account_random_secure,
        .log = &server->backend->log,
        .now = apr_time_as_msec(r->request_time),
        .pool = r->pool,
    };
    *x = (account_exchange_t){
        .match = &request->match,
        .store = store,
        .settings = &server->settings,
        .gate = server->shared->gate,
        .query = r->args ? r->args : request->query,
        .cookies = original->cookies,
        .cookie_names =
            cookie_names(server->cookie_names,
                         request->in_directory ? account_directory_of(r)->mounts : NULL, r->pool),
        .address = r->useragent_ip,
        .agent = apr_table_get(r->headers_in, "User-Agent"),
    };
}

static int handler(request_rec *r)
{
    const account_server_t *server = account_server_of(r->server);
    account_request_t *request = account_request_of(r);
    account_store_t store;
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
    prepare(r, request, &store, &x);
    refusal = refuse_query_secrets(r, &x, request);
    if (refusal == ACCOUNT_OK) {
        refusal = refuse_early(r, server, &x);
    }
    if (refusal == ACCOUNT_OK) {
        refusal = read_body(r, server, &x, &status);
        if (status != OK) {
            return status;
        }
    }
    if (refusal == ACCOUNT_TOO_LARGE) {
        r->connection->keepalive = AP_CONN_CLOSE; /* the rest of the body stays unread */
    }
    if (refusal == ACCOUNT_OK && !store.database) {
        refusal = ACCOUNT_UNAVAILABLE;
    }
    if (refusal == ACCOUNT_OK) {
        store.deadline = account_clock_monotonic() + PATIENCE;
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

    (void)pool;
    ap_hook_translate_name(give_back_query, NULL, redirects, APR_HOOK_REALLY_FIRST);
    ap_hook_pre_translate_name(keep_from_proxy, NULL, proxy, APR_HOOK_FIRST);
    ap_hook_translate_name(keep_from_proxy, rewrite, proxy, APR_HOOK_FIRST);
    ap_hook_map_to_storage(map_to_storage, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_fixups(fixups, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(handler, NULL, proxy, APR_HOOK_FIRST);
}
