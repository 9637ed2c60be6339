#include <httpd.h>

#include <ap_provider.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_request.h>
#include <mod_auth.h>
#include <string.h>

#include "base/text.h"
#include "contract/line.h"
#include "httpd/glue.h"

APLOG_USE_MODULE(account);

/*
 * Require account, account-role, account-verified, account-fresh: of whoever the request was
 * authenticated as, by session or password. What they take is read with the configuration.
 */

static apr_array_header_t *words_of(const char *line, apr_pool_t *pool)
{
    apr_array_header_t *words = apr_array_make(pool, 2, sizeof(const char *));
    const char *word;

    while (*(word = ap_getword_conf(pool, &line))) {
        APR_ARRAY_PUSH(words, const char *) = word;
    }
    return words;
}

/* Whoever requires an account needs a database: startup.c says so, at this place. Of .htaccess the
 * requests find out. */
static void remember(cmd_parms *cmd, const apr_array_header_t *roles)
{
    account_server_t *server = account_server_of(cmd->server);
    account_requirement_t *requirement;

    if (ap_check_cmd_context(cmd, NOT_IN_HTACCESS)) {
        return;
    }
    if (!server) { /* a virtual host without any directive of ours */
        server = account_server_create(cmd->pool, cmd->server);
        ap_set_module_config(cmd->server->module_config, &account_module, server);
    }
    if (!server->requirements) {
        server->requirements = apr_array_make(cmd->pool, 2, sizeof(account_requirement_t));
    }
    requirement = apr_array_push(server->requirements);
    requirement->roles = roles;
    requirement->place.file = cmd->directive->filename;
    requirement->place.line = cmd->directive->line_num;
}

/* AUTHZ_GRANTED: somebody is there; otherwise what to answer. */
static authz_status find(request_rec *r, const account_identity_t **identity)
{
    *identity = account_request_identity(r);
    if (!*identity && r->user) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      ACLOGNO(00265) "Require account: %s was authenticated by somebody else; it "
                                     "takes AuthType Account or AuthBasicProvider account",
                      ap_escape_logitem(r->pool, r->user));
    }
    return *identity ? AUTHZ_GRANTED : r->user ? AUTHZ_DENIED : AUTHZ_DENIED_NO_USER;
}

static const char *parse_account(cmd_parms *cmd, const char *line, const void **parsed)
{
    *parsed = NULL;
    if (words_of(line, cmd->pool)->nelts > 0) {
        return "Require account takes nothing more: for certain people there is Require user, for "
               "roles Require account-role";
    }
    remember(cmd, NULL);
    return NULL;
}

static authz_status check_account(request_rec *r, const char *line, const void *parsed)
{
    const account_identity_t *identity;

    (void)line, (void)parsed;
    return find(r, &identity);
}

static const char *parse_role(cmd_parms *cmd, const char *line, const void **parsed)
{
    const apr_array_header_t *roles = words_of(line, cmd->pool);

    *parsed = roles;
    if (roles->nelts == 0) {
        return "Require account-role takes the names of roles, of which one is enough";
    }
    if (ap_check_cmd_context(cmd, NOT_IN_HTACCESS)) {
        return account_authz_wrong_role(account_server_of(cmd->server), roles, cmd->pool);
    }
    remember(cmd, roles);
    return NULL;
}

static authz_status check_role(request_rec *r, const char *line, const void *parsed)
{
    const account_identity_t *identity;
    authz_status status = find(r, &identity);

    (void)line;
    return status != AUTHZ_GRANTED                               ? status
           : account_text_is_in(parsed, identity->account->role) ? AUTHZ_GRANTED
                                                                 : AUTHZ_DENIED;
}

const char *account_authz_wrong_role(const account_server_t *config,
                                     const apr_array_header_t *roles, apr_pool_t *pool)
{
    apr_array_header_t *all;
    int i;

    if (!config->settings.roles) {
        return NULL; /* a server without accounts */
    }
    all = apr_array_copy(pool, config->settings.roles);
    APR_ARRAY_PUSH(all, const char *) = NULL;
    for (i = 0; i < roles->nelts; i++) {
        const char *role = APR_ARRAY_IDX(roles, i, const char *);

        if (!account_text_is_in(config->settings.roles, role)) {
            return apr_psprintf(pool, "Require account-role: %s is none of AccountRoles%s", role,
                                account_line_suggest(role, (const char *const *)all->elts, pool));
        }
    }
    return NULL;
}

static const char *parse_verified(cmd_parms *cmd, const char *line, const void **parsed)
{
    const apr_array_header_t *kinds = words_of(line, cmd->pool);
    int i;

    *parsed = kinds;
    for (i = 0; i < kinds->nelts; i++) {
        const char *kind = APR_ARRAY_IDX(kinds, i, const char *);

        if (strcmp(kind, "email") != 0 && strcmp(kind, "mobile") != 0) {
            return apr_psprintf(cmd->pool,
                                "Require account-verified takes email and mobile, not %s", kind);
        }
    }
    if (kinds->nelts == 0) {
        return "Require account-verified takes email, mobile, or both, of which one is enough";
    }
    remember(cmd, NULL);
    return NULL;
}

static authz_status check_verified(request_rec *r, const char *line, const void *parsed)
{
    const account_identity_t *identity;
    authz_status status = find(r, &identity);

    (void)line;
    if (status != AUTHZ_GRANTED) {
        return status;
    }
    return (identity->account->email_verified && account_text_is_in(parsed, "email"))
                   || (identity->account->mobile_verified && account_text_is_in(parsed, "mobile"))
               ? AUTHZ_GRANTED
               : AUTHZ_DENIED;
}

static const char *parse_fresh(cmd_parms *cmd, const char *line, const void **parsed)
{
    const apr_array_header_t *words = words_of(line, cmd->pool);
    apr_int64_t *most = apr_palloc(cmd->pool, sizeof(*most));

    *parsed = most;
    if (words->nelts != 1 || !account_text_duration(APR_ARRAY_IDX(words, 0, const char *), most)) {
        return "Require account-fresh takes how long ago the password may have been given: 5m, a "
               "number and s, m, h or d";
    }
    remember(cmd, NULL);
    return NULL;
}

/* Too long ago is as not signed in: signing in helps. */
static authz_status check_fresh(request_rec *r, const char *line, const void *parsed)
{
    const account_identity_t *identity;
    const apr_int64_t *most = parsed;
    authz_status status = find(r, &identity);

    (void)line;
    if (status == AUTHZ_GRANTED && identity->session
        && account_request_store(r)->now - identity->session->created > *most) {
        account_request_of(r)->is_stale = 1;
        status = AUTHZ_DENIED_NO_USER;
    }
    return status;
}

static const authz_provider for_account = {check_account, parse_account};
static const authz_provider for_role = {check_role, parse_role};
static const authz_provider for_verified = {check_verified, parse_verified};
static const authz_provider for_fresh = {check_fresh, parse_fresh};

static void provide(apr_pool_t *pool, const char *name, const authz_provider *provider)
{
    ap_register_auth_provider(pool, AUTHZ_PROVIDER_GROUP, name, AUTHZ_PROVIDER_VERSION, provider,
                              AP_AUTH_INTERNAL_PER_CONF);
}

void account_authz_register_hooks(apr_pool_t *pool)
{
    provide(pool, "account", &for_account);
    provide(pool, "account-role", &for_role);
    provide(pool, "account-verified", &for_verified);
    provide(pool, "account-fresh", &for_fresh);
}
