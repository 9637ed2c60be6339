#ifndef ACCOUNT_HTTPD_POLICY_H
#define ACCOUNT_HTTPD_POLICY_H

#include "httpd/glue.h"

/* Sets the security headers of a reply, and those of CORS where the request comes from an origin
 * that AccountAllowOrigin names. May be called again, for a page after all. */
void account_policy_set(request_rec *r, const account_server_t *server, int is_page);

/* Answers OPTIONS: for a listed origin's preflight with what the path takes. OK. */
int account_policy_options(request_rec *r, const account_server_t *server,
                           const account_match_t *match);

/* Every reply on a path of ours has these headers, httpd's own error pages included. */
void account_policy_register_hooks(apr_pool_t *pool);

#endif
