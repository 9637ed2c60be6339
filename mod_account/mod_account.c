/*
 * mod_account: user accounts for Apache httpd. The module record and its hooks; README.md in this
 * folder is a tour of the rest.
 */
#include <httpd.h>
#include <http_config.h>

#include "httpd/claims.h"
#include "httpd/glue.h"
#include "httpd/policy.h"

static void register_hooks(apr_pool_t *pool)
{
    account_startup_register_hooks(pool);
    account_secrecy_register_hooks(pool);
    account_headers_register_hooks(pool);
    account_handler_register_hooks(pool);
    account_request_register_hooks(pool);
    account_claims_register_hooks(pool);
    account_authn_register_hooks(pool);
    account_authz_register_hooks(pool);
    account_basic_register_hooks(pool);
    account_forward_register_hooks(pool);
    account_audit_register_hooks(pool);
    account_status_register_hooks(pool);
    account_sites_register_hooks(pool);
    account_policy_register_hooks(pool);
}

AP_DECLARE_MODULE(account) = {
    STANDARD20_MODULE_STUFF, account_directory_create,    account_directory_merge,
    account_server_create,   account_server_merge,        account_commands,
    register_hooks,          AP_MODULE_FLAG_ALWAYS_MERGE,
};
