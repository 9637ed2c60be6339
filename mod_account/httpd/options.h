#ifndef ACCOUNT_HTTPD_OPTIONS_H
#define ACCOUNT_HTTPD_OPTIONS_H

#include <httpd.h>
#include <http_config.h>

#include "action/call.h"
#include "base/transport.h"

/* What an administrator decides for the realm of a server: messages, limits, roles, names. The
 * directives, and how a virtual host inherits them; defaults.c makes account_settings_t of it. */

/* Where a directive stands; file is NULL where nobody wrote it. */
typedef struct account_place_t {
    const char *file;
    int line;
} account_place_t;

/* AccountMail, AccountSms. */
typedef struct account_transport_option_t {
    const account_transport_t *transport; /* NULL: off */
    account_place_t place;                /* nowhere: not set */
} account_transport_option_t;

typedef enum account_roles_e {
    ACCOUNT_ROLES_ALL,    /* AccountRoles */
    ACCOUNT_ROLES_CHOSEN, /* AccountChosenRoles */
    ACCOUNT_ROLES_ADMIN,  /* AccountAdminRoles */
    ACCOUNT_ROLES_KINDS
} account_roles_e;

typedef struct account_roles_option_t {
    apr_array_header_t *names; /* of const char *; NULL: not set */
    account_place_t place;
} account_roles_option_t;

/* AccountLink. */
typedef enum account_link_e {
    ACCOUNT_LINK_ACTIVATE,
    ACCOUNT_LINK_RESET,
    ACCOUNT_LINK_COUNT
} account_link_e;

/* NULL and -1 are "not set". */
typedef struct account_options_t {
    account_transport_option_t transports[ACCOUNT_CHANNELS];
    const account_limit_windows_t *limits[ACCOUNT_LIMITS];
    const char *texts;    /* the folder of languages */
    const char *language; /* a folder in it */
    const char *pages[ACCOUNT_LINK_COUNT];
    account_roles_option_t roles[ACCOUNT_ROLES_KINDS];
    int activation;
    int hides; /* AccountEnumeration strict */
    const int *zone;
    const char *captcha_font;
    const char *device_cookie;   /* "": off */
    apr_array_header_t *lookups; /* of account_lookup_t *: the first that has a field fills it */
} account_options_t;

/* What is not set, and what a virtual host has when this is what the main server and itself say. */
void account_options_init(account_options_t *options);
void account_options_merge(account_options_t *merged, const account_options_t *base,
                           const account_options_t *add, apr_pool_t *pool);

/* The directives (their rows are in config.c). info of AccountMail and AccountSms is an
 * account_channel_e, that of the three of roles an account_roles_e. */
const char *account_option_transport(cmd_parms *cmd, void *directory, const char *args);
const char *account_option_limit(cmd_parms *cmd, void *directory, int argc, char *const argv[]);
const char *account_option_texts(cmd_parms *cmd, void *directory, const char *folder);
const char *account_option_language(cmd_parms *cmd, void *directory, const char *language);
const char *account_option_link(cmd_parms *cmd, void *directory, const char *name, const char *url);
const char *account_option_activation(cmd_parms *cmd, void *directory, int on);
const char *account_option_roles(cmd_parms *cmd, void *directory, int argc, char *const argv[]);
const char *account_option_enumeration(cmd_parms *cmd, void *directory, const char *word);
const char *account_option_zone(cmd_parms *cmd, void *directory, const char *word);
const char *account_option_font(cmd_parms *cmd, void *directory, const char *path);
const char *account_option_device_cookie(cmd_parms *cmd, void *directory, const char *name);
const char *account_option_lookup(cmd_parms *cmd, void *directory, const char *args);

#endif
