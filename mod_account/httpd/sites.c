#include "httpd/sites.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <string.h>

#include "contract/origin.h"
#include "httpd/glue.h"

APLOG_USE_MODULE(account);

#define ORIGIN(origins, n) APR_ARRAY_IDX(origins, n, const char *)

void account_sites_init(account_sites_t *sites)
{
    memset(sites, 0, sizeof(*sites));
    sites->inspect_secrets = -1;
}

void account_sites_merge(account_sites_t *merged, const account_sites_t *base,
                         const account_sites_t *add)
{
    merged->allowed = add->allowed ? add->allowed : base->allowed;
    merged->same_site = add->same_site ? add->same_site : base->same_site;
    merged->same_site_place = add->same_site ? add->same_site_place : base->same_site_place;
    merged->inspect_secrets =
        add->inspect_secrets == -1 ? base->inspect_secrets : add->inspect_secrets;
}

const char *account_sites_same_site(const account_sites_t *sites)
{
    return sites->same_site ? sites->same_site : "Lax";
}

static account_sites_t *sites_of(const cmd_parms *cmd)
{
    return &account_server_of(cmd->server)->sites;
}

const char *account_sites_origins(cmd_parms *cmd, void *directory, int argc, char *const argv[])
{
    account_sites_t *sites = sites_of(cmd);
    int i;

    (void)directory;
    if (argc == 0) {
        return "AccountAllowOrigin takes origins of other sites, https://app.example, or off";
    }
    if (!sites->allowed) {
        sites->allowed = apr_array_make(cmd->pool, 4, sizeof(const char *));
    }
    for (i = 0; i < argc; i++) {
        const char *origin, *error;

        if (strcasecmp(argv[i], "off") == 0) {
            if (argc > 1 || sites->allowed->nelts) {
                return "AccountAllowOrigin: off stands alone: it has no other origins beside it";
            }
            continue;
        }
        error = account_origin_parse(argv[i], &origin, cmd->pool);
        if (error) {
            return apr_pstrcat(cmd->pool, "AccountAllowOrigin: ", error, NULL);
        }
        if (!account_origin_is_listed(origin, sites->allowed)) {
            APR_ARRAY_PUSH(sites->allowed, const char *) = origin;
        }
    }
    return NULL;
}

const char *account_sites_cookie(cmd_parms *cmd, void *directory, const char *word)
{
    static const char *const words[] = {"Lax", "Strict", "None"};
    account_sites_t *sites = sites_of(cmd);
    apr_size_t i;

    (void)directory;
    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (strcasecmp(word, words[i]) == 0) {
            sites->same_site = words[i];
            sites->same_site_place =
                (account_place_t){cmd->directive->filename, cmd->directive->line_num};
            return NULL;
        }
    }
    return apr_psprintf(cmd->pool,
                        "AccountSameSite: \"%s\" is none of Lax (cookies come along when somebody "
                        "follows a link to here), Strict (not even then) and None (pages of other "
                        "sites may send them)",
                        word);
}

const char *account_sites_inspect(cmd_parms *cmd, void *directory, int on)
{
    (void)directory;
    sites_of(cmd)->inspect_secrets = on;
    return NULL;
}

static int is_https(const char *origin)
{
    return origin && strncmp(origin, "https:", 6) == 0;
}

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *servers)
{
    server_rec *server;

    (void)pconf, (void)plog, (void)ptemp;
    for (server = servers; server; server = server->next) {
        const account_server_t *config = account_server_of(server);

        if (config->backend && strcmp(account_sites_same_site(&config->sites), "None") == 0
            && !is_https(config->public_origin)) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, server,
                         ACLOGNO(00240) "Syntax error on line %d of %s: AccountSameSite None needs "
                                        "AccountPublicURL https://…: browsers take such cookies "
                                        "only over TLS (the server %s has %s)",
                         config->sites.same_site_place.line, config->sites.same_site_place.file,
                         server->server_hostname ? server->server_hostname : "_default_",
                         config->public_origin ? config->public_origin : "none");
            return !OK;
        }
    }
    return OK;
}

/* A page of another site can do nothing with a cookie that its browser does not send. */
static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *servers)
{
    server_rec *server;
    int i;

    (void)pconf, (void)plog, (void)ptemp;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    for (server = servers; server; server = server->next) {
        const account_server_t *config = account_server_of(server);
        const apr_array_header_t *allowed = config->sites.allowed;

        if (!allowed || !config->backend || !config->public_origin
            || strcmp(account_sites_same_site(&config->sites), "None") == 0) {
            continue;
        }
        for (i = 0; i < allowed->nelts; i++) {
            if (!account_origin_same_site(config->public_origin, ORIGIN(allowed, i))) {
                ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                             ACLOGNO(00241) "AccountAllowOrigin %s is another site than %s: its "
                                            "pages are answered, but their browsers send and keep "
                                            "no session cookie without AccountSameSite None",
                             ORIGIN(allowed, i), config->public_origin);
            }
        }
    }
    return OK;
}

void account_sites_register_hooks(apr_pool_t *pool)
{
    (void)pool;
    /* after the one of startup.c, which makes the backends */
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_LAST);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_LAST);
}
