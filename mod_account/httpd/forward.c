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

void account_forward_register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
}
