#include <apr_strings.h>
#include <httpd.h>
#include <http_log.h>
#include <string.h>

#include "action/limits.h"
#include "base/text.h"
#include "httpd/glue.h"
#include "store/lookups.h"
#include "store/statements.h"

APLOG_USE_MODULE(account);

#define DEFAULT_IDLE (24 * 3600 * APR_INT64_C(1000))
#define DEFAULT_LIFE (30 * 24 * 3600 * APR_INT64_C(1000))
#define DEFAULT_SESSIONS 20
#define DEFAULT_BODY (64 * 1024)
#define DEFAULT_FONT "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf"
#define DEFAULT_HEADER_PREFIX "X-Account-"
#define DEFAULT_DEVICE_COOKIE "account_device"

#define NAME(names, n) APR_ARRAY_IDX(names, n, const char *)

static apr_array_header_t *names_of(const char *const *names, apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 4, sizeof(const char *));

    for (; *names; names++) {
        APR_ARRAY_PUSH(list, const char *) = *names;
    }
    return list;
}

/* Whether AccountRoles has them all. */
static int check_roles(const account_server_t *config, account_roles_e kind, server_rec *server,
                       apr_pool_t *pool)
{
    const account_roles_option_t *option = &config->options.roles[kind];
    apr_array_header_t *all = apr_array_copy(pool, config->settings.roles);
    int i;

    APR_ARRAY_PUSH(all, const char *) = NULL;
    for (i = 0; option->names && i < option->names->nelts; i++) {
        const char *name = NAME(option->names, i);

        if (!account_text_is_in(config->settings.roles, name)) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, server,
                         ACLOGNO(00208) "Syntax error on line %d of %s: %s: %s is none of "
                                        "AccountRoles%s",
                         option->place.line, option->place.file,
                         kind == ACCOUNT_ROLES_ADMIN ? "AccountAdminRoles" : "AccountChosenRoles",
                         name, account_line_suggest(name, (const char *const *)all->elts, pool));
            return 0;
        }
    }
    return 1;
}

static int fill_roles(account_server_t *config, server_rec *server, apr_pool_t *pool)
{
    static const char *const standard[] = {"normal_user", "vip_user", "creator", "admin", NULL};
    static const char *const admin[] = {"admin", NULL};
    account_roles_option_t *options = config->options.roles;
    account_settings_t *settings = &config->settings;
    const char *first[] = {NULL, NULL};

    settings->roles = options[ACCOUNT_ROLES_ALL].names ? options[ACCOUNT_ROLES_ALL].names
                                                       : names_of(standard, pool);
    first[0] = NAME(settings->roles, 0);
    settings->chosen_roles = options[ACCOUNT_ROLES_CHOSEN].names
                                 ? options[ACCOUNT_ROLES_CHOSEN].names
                                 : names_of(first, pool);
    settings->admin_roles =
        options[ACCOUNT_ROLES_ADMIN].names
            ? options[ACCOUNT_ROLES_ADMIN].names
            : names_of(account_text_is_in(settings->roles, *admin) ? admin : admin + 1, pool);
    return check_roles(config, ACCOUNT_ROLES_CHOSEN, server, pool)
           && check_roles(config, ACCOUNT_ROLES_ADMIN, server, pool);
}

static int fill_limits(account_server_t *config, server_rec *server, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < ACCOUNT_LIMITS; i++) {
        account_limit_windows_t *windows = &config->settings.limits[i];
        const char *error = NULL;

        if (config->options.limits[i]) {
            *windows = *config->options.limits[i];
        }
        else {
            error = account_limit_parse(windows, account_limits[i].standard, pool);
        }
        if (error) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, server,
                         ACLOGNO(00209) "the limit %s as it ships: %s", account_limits[i].name,
                         error);
            return 0;
        }
    }
    return 1;
}

/* For texts: the host that people know, without scheme and port. */
static const char *site_of(const account_server_t *config, apr_pool_t *pool)
{
    const char *host = config->public_origin ? strstr(config->public_origin, "://") : NULL;
    apr_size_t length;

    if (!host) {
        return config->realm;
    }
    host += 3;
    length = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    return apr_pstrmemdup(pool, host, length);
}

int account_defaults_fill(account_server_t *config, server_rec *server, apr_pool_t *pool)
{
    const account_options_t *options = &config->options;
    account_settings_t *settings = &config->settings;
    int i;

    config->realm = config->realm ? config->realm : "default";
    config->session_idle = config->session_idle ? config->session_idle : DEFAULT_IDLE;
    config->session_life = config->session_life ? config->session_life : DEFAULT_LIFE;
    config->sessions_most = config->sessions_most ? config->sessions_most : DEFAULT_SESSIONS;
    config->body_limit = config->body_limit ? config->body_limit : DEFAULT_BODY;
    config->allow_navigation = config->allow_navigation == 1;
    config->trust_same_site = config->trust_same_site == 1;
    config->cookie_remove = config->cookie_remove != 0;
    config->header_prefix = !config->header_prefix   ? DEFAULT_HEADER_PREFIX
                            : *config->header_prefix ? config->header_prefix
                                                     : NULL;
    config->header_names =
        config->header_prefix ? account_headers_names(config->header_prefix, pool) : NULL;

    settings->cost = config->cost_is_set ? config->cost : account_password_default_cost;
    settings->session_idle = config->session_idle;
    settings->session_life = config->session_life;
    settings->sessions_most = config->sessions_most > 0 ? config->sessions_most : 0;
    settings->hides = options->hides == 1;
    settings->activation = options->activation != 0;
    settings->zone = options->zone ? *options->zone : 0;
    settings->site = site_of(config, pool);
    settings->device_cookie = !options->device_cookie   ? DEFAULT_DEVICE_COOKIE
                              : *options->device_cookie ? options->device_cookie
                                                        : NULL;
    settings->captcha_font = options->captcha_font ? options->captcha_font : DEFAULT_FONT;
    for (i = 0; i < ACCOUNT_CHANNELS; i++) {
        settings->sends[i] = options->transports[i].transport != NULL;
    }
    return fill_roles(config, server, pool) && fill_limits(config, server, pool);
}

/* The number of a statement in the backend's table; servers that ask the same share it. */
static int number_of(account_backend_t *backend, const account_statement_t *statement)
{
    apr_array_header_t *statements = backend->statements;
    int i, dialect;

    for (i = ACCOUNT_SQL_COUNT; i < statements->nelts; i++) {
        const account_statement_t *other = &APR_ARRAY_IDX(statements, i, account_statement_t);

        for (dialect = 0; dialect < ACCOUNT_DIALECTS; dialect++) {
            if (!account_text_is_same(other->sql[dialect], statement->sql[dialect])) {
                break;
            }
        }
        if (dialect == ACCOUNT_DIALECTS) {
            return i;
        }
    }
    APR_ARRAY_PUSH(statements, account_statement_t) = *statement;
    return i;
}

void account_defaults_number_lookups(account_server_t *config, apr_pool_t *pool)
{
    const apr_array_header_t *lookups = config->options.lookups;
    apr_array_header_t *numbered =
        apr_array_make(pool, lookups ? lookups->nelts : 1, sizeof(account_lookup_t *));
    int i;

    for (i = 0; config->backend && lookups && i < lookups->nelts; i++) {
        account_lookup_t *lookup =
            apr_pmemdup(pool, APR_ARRAY_IDX(lookups, i, account_lookup_t *), sizeof(*lookup));

        /* a copy: a server that inherits the directive may have another database */
        lookup->number = number_of(config->backend, &lookup->statement);
        APR_ARRAY_PUSH(numbered, account_lookup_t *) = lookup;
    }
    config->settings.lookups = numbered;
}
