#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <string.h>

#include "httpd/claims.h"
#include "httpd/glue.h"

APLOG_USE_MODULE(account);

/*
 * SetHandler account-forward-auth: another server (nginx auth_request, Traefik, Caddy, Envoy) asks
 * whether to let a request through. Whoever gets here was let through by the Require lines of the
 * place; the reply says who it is.
 */
static int handler(request_rec *r)
{
    const account_identity_t *identity;

    if (!r->handler || strcmp(r->handler, ACCOUNT_FORWARD_HANDLER) != 0) {
        return DECLINED;
    }
    if (!ap_auth_type(r) || !ap_some_auth_required(r)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      ACLOGNO(00266) "SetHandler " ACCOUNT_FORWARD_HANDLER " without AuthType "
                                     "Account and Require would let everybody through");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    identity = account_request_identity(r);
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-store");
    if (identity && !account_headers_set(r, identity, r->headers_out)) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    ap_set_content_length(r, 0);
    return OK;
}

/* The first line that stands directly in the section, begins with name and has args among its
 * arguments, at the end of a word; args NULL: any. NULL: there is none. */
static const ap_directive_t *find(const ap_directive_t *section, const char *name, const char *args)
{
    const ap_directive_t *line;

    for (line = section->first_child; line; line = line->next) {
        const char *end = args && line->args ? ap_strcasestr(line->args, args) : NULL;

        if (strncasecmp(line->directive, name, strlen(name)) == 0
            && (!args || (end && strchr(" \t\"", end[strlen(args)])))) {
            return line;
        }
    }
    return NULL;
}

/* Most places inherit "Require all granted" from the folder of the site, and a Require that was
 * forgotten would go unnoticed. 0: so it is, and that is logged. */
static int check_sections(const ap_directive_t *line, server_rec *server)
{
    int good = 1;

    for (; line; line = line->next) {
        const ap_directive_t *handler = find(line, "SetHandler", ACCOUNT_FORWARD_HANDLER);

        if (handler && !find(line, "Require", NULL) && !find(line, "<Require", NULL)) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, server,
                         ACLOGNO(00280) "Syntax error on line %d of %s: SetHandler %s "
                                        "needs a Require in the same section",
                         handler->line_num, handler->filename, ACCOUNT_FORWARD_HANDLER);
            good = 0;
        }
        good = check_sections(line->first_child, server) && good;
    }
    return good;
}

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *server)
{
    (void)pconf, (void)plog, (void)ptemp;
    return check_sections(ap_conftree, server) ? OK : HTTP_INTERNAL_SERVER_ERROR;
}

void account_forward_register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
}
