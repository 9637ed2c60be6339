#ifndef ACCOUNT_HTTPD_GLUE_H
#define ACCOUNT_HTTPD_GLUE_H

#include "httpd/config.h"
#include "httpd/request.h"

extern module AP_MODULE_DECLARE_DATA account_module;

/* startup.c: adds a cookie's name where it is not there yet. */
void account_cookie_add(apr_array_header_t *names, const char *name);

/* defaults.c: fills in what is not set, and all of config->settings but what needs.c knows. 0: it
 * is wrong, and logged. */
int account_defaults_fill(account_server_t *config, server_rec *server, apr_pool_t *pool);

/* defaults.c: the statements of the server's lookups get their numbers in its backend's table. */
void account_defaults_number_lookups(account_server_t *config, apr_pool_t *pool);

/* needs.c: whether the servers have what their mounts need; the addresses for mails and the texts
 * are filled into their settings. 0: something is missing, and logged. */
int account_needs_check(server_rec *servers, apr_pool_t *pool);

/* needs.c: what a route needs that the server has not, as the rest of a sentence that begins with
 * the route; NULL: nothing. For mounts in directories, which nobody sees at start. */
const char *account_needs_missing(const account_server_t *config, const account_route_t *route,
                                  apr_pool_t *pool);

/* background.c: before the fork, the work that goes on beside requests: delivery of messages, a
 * thread for each distinct transport, and the removal of what has expired. */
apr_status_t account_background_create(server_rec *servers, apr_pool_t *pconf);

/* background.c: the same at configtest. 0: the work can't be done, and that is logged. */
int account_background_check(server_rec *servers);

/* background.c: in a child: when pchild goes, the work has ended before its databases do. */
void account_background_begin(server_rec *servers, apr_pool_t *pchild);

/* startup.c */
void account_startup_register_hooks(apr_pool_t *pool);

/* handler.c: finds the route and answers. */
void account_handler_register_hooks(apr_pool_t *pool);

/* handler.c: what the engine works on, but for the body. The request has a match. */
void account_handler_prepare(request_rec *r, account_exchange_t *x);

/* SetHandler …: forward.c. */
#define ACCOUNT_FORWARD_HANDLER "account-forward-auth"

/* authn.c: AuthType Account. authz.c: Require account…. forward.c: answers other servers that ask.
 */
void account_authn_register_hooks(apr_pool_t *pool);
void account_authz_register_hooks(apr_pool_t *pool);
void account_forward_register_hooks(apr_pool_t *pool);

/* authn.c: the request is from that account: sets r->user and what account_request_identity says.
 * 0: the account has not what AccountUserField takes, and that is logged. */
int account_identity_set(request_rec *r, const account_identity_t *found);

/* authz.c: NULL, or which of the roles (of const char *) the server has not. */
const char *account_authz_wrong_role(const account_server_t *config,
                                     const apr_array_header_t *roles, apr_pool_t *pool);

/* authn.c: AccountLoginPage. */
const char *account_authn_set_login_page(cmd_parms *cmd, void *directory, const char *page);

/* headers.c: takes out what a client sends as if it were the server; tells back ends who asks. */
void account_headers_register_hooks(apr_pool_t *pool);

/* The names of the headers of account_claims, by their numbers; NULL for those without. */
const char *const *account_headers_names(const char *prefix, apr_pool_t *pool);

/* headers.c: adds what is told of somebody to the headers of a request or reply, signed where there
 * is an AccountHeaderKey. 0: that failed, and is logged. */
int account_headers_set(request_rec *r, const account_identity_t *identity, apr_table_t *headers);

/* headers.c: AccountHeaderPrefix, AccountHeaderKey. */
const char *account_headers_set_prefix(cmd_parms *cmd, void *directory, const char *word);
const char *account_headers_set_key(cmd_parms *cmd, void *directory, const char *path);

/* basic.c: AuthBasicProvider account, AuthFormProvider account. */
void account_basic_register_hooks(apr_pool_t *pool);

/* secrecy.c: keeps secrets in URLs out of logs. */
void account_secrecy_register_hooks(apr_pool_t *pool);

/* secrecy.c: the path as the core will see it later: decoded once, without //, /./ and /../. NULL:
 * it will be refused. */
const char *account_secrecy_path(const request_rec *r);

/* secrecy.c: takes the cookies of these names (of const char *) out of the request: they go no
 * further than this module, not into a log of all headers, not to a script or an application
 * behind, which could keep them. account_request_t has the header as it was. */
void account_secrecy_take_out_cookies(request_rec *r, const apr_array_header_t *names);

/*
 * body.c: reads the request's body, at most limit bytes. OK, or the HTTP status of what is wrong:
 * 413 too large, 408 too slow, 400 broken off. *bytes is NUL-terminated, in r->pool.
 */
int account_body_read(request_rec *r, apr_int64_t limit, const char **bytes, apr_size_t *length);

/* edge.c: whether the browser that sent this may change state here. */
int account_edge_allows(request_rec *r, const account_server_t *server);

/* edge.c: whether the client is on TLS, as far as cookies are concerned. */
int account_edge_is_secure(request_rec *r, const account_server_t *server);

/* audit.c: AccountAuditLog, and the opening of what it names. */
const char *account_audit_directive(cmd_parms *cmd, void *directory, const char *word);
void account_audit_register_hooks(apr_pool_t *pool);

/* audit.c: the line of a request that a contract has answered, or none: action/audit.h says. */
void account_audit_response(request_rec *r, const account_exchange_t *exchange,
                            const account_response_t *response);

/* audit.c: the line of anything else. event: a name of OWASP's Logging Vocabulary that
 * action/audit.h knows; account: whom it concerns, or NULL. description: plain English, nothing of
 * the client's in it. */
void account_audit_event(request_rec *r, const char *event, const account_t *account,
                         const char *description);

/* status.c: SetHandler account-status. */
void account_status_register_hooks(apr_pool_t *pool);

/* reply.c: sends the response with its headers and cookies. */
int account_reply_send(request_rec *r, const account_server_t *server,
                       const account_exchange_t *exchange, const account_response_t *response);

#endif
