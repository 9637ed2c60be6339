#ifndef ACCOUNT_HTTPD_CONFIG_H
#define ACCOUNT_HTTPD_CONFIG_H

#include <httpd.h>
#include <http_config.h>

#include "contract/engine.h"
#include "httpd/options.h"
#include "httpd/sites.h"
#include "store/schema.h"

/* A database that servers share: one for each distinct driver and parameters. */
typedef struct account_backend_t {
    int number; /* among those of this configuration */
    const char *driver;
    const char *params;
    int connections; /* a child; 0: chosen by the number of its threads */
    account_schema_t schema;
    apr_array_header_t *statements; /* of account_statement_t: ours, then those of AccountLookup */
    account_log_t log;
    account_database_t *database; /* of this child; NULL in the parent */
} account_backend_t;

/* What all servers of one configuration share; lives as long as it does. */
typedef struct account_shared_t {
    apr_hash_t *contracts;        /* name to account_contract_t */
    apr_hash_t *texts;            /* folder to account_texts_t: those that somebody needs */
    apr_array_header_t *backends; /* of account_backend_t * */
    int hash_slots;               /* 0: as many as cores */
    account_gate_t *gate;
    apr_global_mutex_t *writer; /* of SQLite databases; NULL: there are none */
    const char *writer_file;
    const struct account_field_t *const *claims; /* claims.c: account_claims' fields */
    struct account_cache_store_t *cache;         /* cache.c */
    const account_fence_t *fence;                /* cache.c; NULL before the start */
    struct account_counters_t *counters;         /* counters.c; NULL before the start */
    struct account_background_t
        *background; /* background.c; NULL: nothing goes on beside requests */
} account_shared_t;

/* A Require of ours: account_authz (authz.c). */
typedef struct account_requirement_t {
    const apr_array_header_t *roles; /* of const char *; NULL: it names none */
    account_place_t place;
} account_requirement_t;

/* One server or virtual host. NULL, 0 and -1 are "not set" until check_config (startup.c) has
 * filled in what is left. */
typedef struct account_server_t {
    account_shared_t *shared;
    account_keys_t *keys;
    const char *driver;
    const char *params;
    int connections;
    int schema_may_change;
    const char *realm;
    const char *public_origin; /* of AccountPublicURL */
    account_password_cost_t cost;
    int cost_is_set;
    apr_int64_t session_idle;
    apr_int64_t session_life;
    int sessions_most;      /* 0: not set; -1: off */
    apr_int64_t body_limit; /* bytes */
    int allow_navigation;
    int trust_same_site;
    int cookie_remove;
    const char *header_prefix;        /* "": off */
    const char *const *header_names;  /* headers.c: those of account_claims, or NULL */
    account_keys_t *header_keys;      /* what headers for back ends are signed with, or NULL */
    apr_array_header_t *requirements; /* of account_requirement_t: in its own sections; or NULL */
    const char *audit_log;            /* "off", "error-log", a path, or "|program" */
    account_options_t options;
    account_sites_t sites;
    apr_array_header_t
        *mounts; /* of account_mount_t *: by AccountMount here and in plain <Location>s */
    apr_file_t *audit_file; /* audit.c: that of audit_log, from the start on */
    /* made by check_config (startup.c) */
    account_backend_t *backend; /* NULL: no AccountDatabase, so nothing is served */
    account_settings_t settings;
    account_router_t *router;         /* of mounts */
    int has_page[ACCOUNT_LINK_COUNT]; /* the realm has a page for it */
    apr_array_header_t *cookie_names; /* of const char *: of every contract mounted in the realm */
    apr_array_header_t *taken_out;    /* of const char *: what AccountCookieRemove takes out */
} account_server_t;

/* <Location>, <Directory> and .htaccess. NULL and -1 are "not set". */
typedef struct account_directory_t {
    apr_array_header_t *mounts; /* of account_mount_t *: their path is "", below the directory */
    const char *directory;      /* with a slash at its end: where the mounts were written */
    int query_secrets;
    const char *login_page; /* "": off */
    const char *user_field;
} account_directory_t;

extern const command_rec account_commands[];

/* create and merge of the module record: what is not set stays "not set". */
void *account_server_create(apr_pool_t *pool, server_rec *server);
void *account_server_merge(apr_pool_t *pool, void *base, void *add);
void *account_directory_create(apr_pool_t *pool, char *directory);
void *account_directory_merge(apr_pool_t *pool, void *base, void *add);

/* The configuration of a server, and of the directory or location of a request. Never NULL. */
account_server_t *account_server_of(const server_rec *server);
account_directory_t *account_directory_of(const request_rec *r);

/* For directives that take a file of keys: reads it into *keys. NULL, or what is wrong. */
const char *account_config_read_keys(cmd_parms *cmd, const char *path, account_keys_t **keys);

/* containers.c: <AccountContract> and AccountMount. */
const char *account_contract_directive(cmd_parms *cmd, void *directory, const char *args);
const char *account_mount_directive(cmd_parms *cmd, void *directory, int argc, char *const argv[]);
/*
 * containers.c: asked first by the setters of directives that may not stand in a folder, though
 * httpd lets them in there (OR_ALL). 1: it does, and the setter does nothing but return *error:
 * why, and where it belongs; NULL where AllowOverride Nonfatal wants such lines warned of only.
 */
int account_directive_refused(const cmd_parms *cmd, const char **error);
/* For directives that belong inside a contract: says so. */
const char *account_misplaced_directive(cmd_parms *cmd, void *directory, const char *args);

#endif
