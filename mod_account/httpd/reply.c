#include <apr_strings.h>
#include <httpd.h>
#include <http_log.h>
#include <http_protocol.h>
#include <string.h>

#include "httpd/counters.h"
#include "httpd/policy.h"

APLOG_USE_MODULE(account);

/* Half a year: the device cookie outlives sessions. */
#define DEVICE_LIFE "; Max-Age=15552000"
#define ENDS "; Max-Age=0"

/* life: how long the browser keeps it; "": until it is closed. */
static void set_cookie(request_rec *r, const account_server_t *server, const char *name,
                       const char *value, const char *life)
{
    apr_table_addn(r->err_headers_out, "Set-Cookie",
                   apr_pstrcat(r->pool, name, "=", value, "; Path=/", life,
                               "; HttpOnly; SameSite=", account_sites_same_site(&server->sites),
                               account_edge_is_secure(r, server) ? "; Secure" : "", NULL));
}

/* One Set-Cookie for each name, the contract's first: the new session, and the end of what else the
 * request carried. */
static void set_session_cookies(request_rec *r, const account_server_t *server,
                                const account_exchange_t *x, const account_answer_t *answer)
{
    const char *own = x->match->mount->contract->cookie;
    const char *sent = x->caller->cookies;
    int i;

    if (answer->session_begun) {
        set_cookie(r, server, own, answer->session->token, "");
    }
    else if (answer->session_ended) {
        set_cookie(r, server, own, "", ENDS);
    }
    else {
        return;
    }
    for (i = 0; i < x->cookie_names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(x->cookie_names, i, const char *);

        if (strcmp(name, own) != 0 && account_request_cookies(sent, name, 1, r->pool)->nelts) {
            set_cookie(r, server, name, "", ENDS);
        }
    }
}

static void log_outcome(request_rec *r, const account_exchange_t *x,
                        const account_response_t *response)
{
    const account_match_t *match = x->match;
    const char *outcome = account_outcomes[response->answer.outcome].name;

    if (response->failure != APR_SUCCESS) {
        /* the trouble of a database or gateway is in the log already, once and not for each request
         */
        int known = ACCOUNT_STATUS_IS_OURS(response->failure);
        const char *why = response->failure == ACCOUNT_EBUSY       ? ", too busy"
                          : response->failure == ACCOUNT_EDELIVERY ? ", messages can't be delivered"
                                                                   : "";

        ap_log_rerror(APLOG_MARK, known ? APLOG_INFO : APLOG_ERR, known ? 0 : response->failure, r,
                      ACLOGNO(00220) "%s %s: unavailable%s", match->mount->contract->name,
                      match->route->name, why);
        return;
    }
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, ACLOGNO(00221) "%s %s: %s%s%s",
                  match->mount->contract->name, match->route->name, outcome,
                  response->refused ? "." : "", response->refused ? response->refused : "");
}

int account_reply_send(request_rec *r, const account_server_t *server, const account_exchange_t *x,
                       const account_response_t *response)
{
    log_outcome(r, x, response);
    account_counter_request(server->shared, x->match->route->action, response->answer.outcome);
    account_audit_response(r, x, response);
    set_session_cookies(r, server, x, &response->answer);
    if (response->answer.device && server->settings.device_cookie) {
        set_cookie(r, server, server->settings.device_cookie, response->answer.device, DEVICE_LIFE);
    }
    /* as an error page it does not make a success of the error */
    if (!r->prev || r->status == HTTP_OK) {
        r->status = response->status;
    }
    ap_set_content_type(r, response->type);
    ap_set_content_length(r, response->length);
    if (response->is_page || !account_request_of(r)->has_policy) {
        account_policy_set(r, server, response->is_page);
    }
    if (response->answer.outcome == ACCOUNT_BAD_METHOD) {
        apr_table_setn(r->headers_out, "Allow", x->match->allow);
    }
    if (response->answer.retry_after) {
        apr_table_setn(r->headers_out, "Retry-After",
                       apr_psprintf(r->pool, "%" APR_INT64_T_FMT, response->answer.retry_after));
    }
    ap_rwrite(response->body, (int)response->length, r);
    return OK;
}
