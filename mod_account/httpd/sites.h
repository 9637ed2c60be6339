#ifndef ACCOUNT_HTTPD_SITES_H
#define ACCOUNT_HTTPD_SITES_H

#include <httpd.h>
#include <http_config.h>

#include "httpd/options.h"

/* What a server has to do with pages of other sites, and with mod_security: AccountAllowOrigin,
 * AccountSameSite, AccountInspectSecrets. NULL and -1 are "not set". */
typedef struct account_sites_t {
    apr_array_header_t *allowed; /* of const char *: origins; empty: off */
    const char *same_site;       /* "Lax", "Strict" or "None" */
    account_place_t same_site_place;
    int inspect_secrets;
} account_sites_t;

/* What is not set. */
void account_sites_init(account_sites_t *sites);

/* What a virtual host has when this is what the main server and itself say: its own where it says
 * something. merged may be a copy of add. */
void account_sites_merge(account_sites_t *merged, const account_sites_t *base,
                         const account_sites_t *add);

/* The SameSite attribute of our cookies. */
const char *account_sites_same_site(const account_sites_t *sites);

/* The directives, whose rows are in config.c: AccountAllowOrigin, */
const char *account_sites_origins(cmd_parms *cmd, void *directory, int argc, char *const argv[]);

/* AccountSameSite, */
const char *account_sites_cookie(cmd_parms *cmd, void *directory, const char *word);

/* and AccountInspectSecrets. */
const char *account_sites_inspect(cmd_parms *cmd, void *directory, int on);

/* The check of what the directives of a server say together (configtest runs it), and a warning. */
void account_sites_register_hooks(apr_pool_t *pool);

#endif
