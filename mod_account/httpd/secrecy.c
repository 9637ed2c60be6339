#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>
#include <scoreboard.h>
#include <string.h>

#include "contract/buffer.h"
#include "httpd/glue.h"

/*
 * Some contracts take passwords by GET. Everything that httpd writes about a request (access log,
 * server-status, forensic log) comes from a handful of members of request_rec; these hooks take the
 * secrets' carriers out of them: the query of our routes, before anybody else where the path tells
 * them and before the access log for the rest, and the cookies that name a session or a device. At
 * LogLevel trace5 and beyond httpd itself prints the request line before any module is asked.
 */

/* text without what follows its question mark, but with " HTTP/1.1" if it ends so: a blank within
 * the query is a part of it. */
static const char *without_query(const char *text, apr_pool_t *pool)
{
    const char *mark = text ? strchr(text, '?') : NULL;
    const char *blank = mark ? strrchr(mark, ' ') : NULL;

    return mark ? apr_pstrcat(
               pool, apr_pstrmemdup(pool, text, mark - text),
               blank && strncmp(blank, " HTTP/", 6) == 0 && strlen(blank) == 9 ? blank : NULL, NULL)
                : text;
}

static void take_out_query(request_rec *r)
{
    const char *referer = apr_table_get(r->headers_in, "Referer");

    r->args = NULL;
    r->uri = (char *)without_query(r->uri, r->pool); /* CONNECT has it there */
    r->unparsed_uri = (char *)without_query(r->unparsed_uri, r->pool);
    r->the_request = (char *)without_query(r->the_request, r->pool);
    r->parsed_uri.query = NULL;
    if (referer && strchr(referer, '?')) {
        apr_table_setn(r->headers_in, "Referer", without_query(referer, r->pool));
    }
}

const char *account_secrecy_path(const request_rec *r)
{
    char *path = apr_pstrdup(r->pool, r->uri ? r->uri : "");

    return ap_normalize_path(path, AP_NORMALIZE_DECODE_UNRESERVED | AP_NORMALIZE_MERGE_SLASHES)
                   && ap_unescape_url(path) != HTTP_BAD_REQUEST /* %2F may be allowed */
               ? path
               : NULL;
}

static int is_own(const char *cookie, const apr_array_header_t *names)
{
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(names, i, const char *);
        apr_size_t length = strlen(name);

        if (strncmp(cookie, name, length) == 0 && cookie[length] == '=') {
            return 1;
        }
    }
    return 0;
}

/* Where a cookie of ours begins: after ";", or after the "," with which httpd joins two headers. */
static const char *find_own(const char *text, const apr_array_header_t *names)
{
    int begins = 1;

    for (; *text; text++) {
        if (begins && is_own(text, names)) {
            return text;
        }
        begins = strchr(";,", *text) || (begins && strchr(" \t", *text));
    }
    return NULL;
}

/* The Cookie header without the cookies of these names; "": nothing is left. */
static const char *without_cookies(const char *header, const apr_array_header_t *names,
                                   apr_pool_t *pool)
{
    account_buffer_t left;
    const char *own;

    account_buffer_init(&left, strlen(header), pool);
    while ((own = find_own(header, names)) != NULL) {
        account_buffer_add(&left, header, own - header);
        header = own + strcspn(own, ";,");
        header += strspn(header, ";, \t");
    }
    account_buffer_add_text(&left, header);
    while (left.length > 0 && strchr(";, \t", left.bytes[left.length - 1])) {
        left.bytes[--left.length] = '\0';
    }
    return left.bytes;
}

void account_secrecy_take_out_cookies(request_rec *r, const apr_array_header_t *names)
{
    const char *header = apr_table_get(r->headers_in, "Cookie");
    const char *left = header ? without_cookies(header, names, r->pool) : NULL;

    if (left && *left) {
        apr_table_setn(r->headers_in, "Cookie", left);
    }
    else if (left) {
        apr_table_unset(r->headers_in, "Cookie");
    }
}

/* Before anybody else. */
static int post_read_request(request_rec *r)
{
    const account_server_t *server = account_server_of(r->server);
    account_request_t *request = account_request_of(r);
    account_match_t match;
    const char *path;

    request->is_read = 1;
    if (r->main || !server->backend) {
        return DECLINED;
    }
    request->caller.cookies = apr_table_get(r->headers_in, "Cookie");
    if (server->cookie_remove) {
        account_secrecy_take_out_cookies(r, server->taken_out);
    }
    path = account_secrecy_path(r);
    if (!path || account_router_match(server->router, path, r->method, &match, r->pool)) {
        request->own = path ? match.mount->contract->cookie : NULL;
        request->query = r->args;
        if (server->sites.inspect_secrets != 1) {
            take_out_query(r);
        }
    }
    return DECLINED;
}

/* After mod_security, where that may see them. */
static int post_inspection(request_rec *r)
{
    if (!r->main && account_request_of(r)->query
        && account_server_of(r->server)->sites.inspect_secrets == 1) {
        take_out_query(r);
    }
    return DECLINED;
}

/* A line that is too long, a bad Host and the like are logged without having passed the hook above;
 * and rewritten or per-directory mounts were not known to it. */
static int log_transaction(request_rec *r)
{
    const account_shared_t *shared = account_server_of(r->server)->shared;
    request_rec *any;
    int secret = 0;

    for (any = r; any && !secret; any = any->next) {
        const account_request_t *request =
            any->request_config ? ap_get_module_config(any->request_config, &account_module) : NULL;

        secret = request && request->is_read ? request->matched || request->query
                                             : shared->backends->nelts > 0;
    }
    for (any = r; any && secret; any = any->next) {
        take_out_query(any);
    }
    if (secret && r->status == HTTP_BAD_REQUEST && r->method
        && ap_method_number_of(r->method) == M_INVALID) {
        /* no request line: it may be what is left of a body that was said to be shorter */
        r->the_request = "-";
        r->method = "-";
    }
    if (secret && r->connection->sbh) {
        /* the status page was given it as it was */
        ap_update_child_status(r->connection->sbh, SERVER_BUSY_LOG, r);
    }
    return DECLINED;
}

void account_secrecy_register_hooks(apr_pool_t *pool)
{
    static const char *const inspector[] = {"mod_security2.c", NULL};
    static const char *const before[] = {"mod_security2.c", "mod_log_forensic.c", NULL};
    static const char *const forensic[] = {"mod_log_forensic.c", NULL};

    (void)pool;
    ap_hook_post_read_request(post_read_request, NULL, before, APR_HOOK_REALLY_FIRST);
    ap_hook_post_read_request(post_inspection, inspector, forensic, APR_HOOK_REALLY_FIRST);
    ap_hook_log_transaction(log_transaction, NULL, before, APR_HOOK_REALLY_FIRST);
}
