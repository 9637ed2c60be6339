#include "httpd/config.h"

#include <apr_dbd.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <http_log.h>
#include <string.h>

#include "httpd/cache.h"
#include "httpd/claims.h"
#include "httpd/glue.h"

/* One for each reading of the configuration: it hangs on the configuration's pool. */
static account_shared_t *shared_of(apr_pool_t *pool)
{
    static const char key[] = "mod_account";
    account_shared_t *shared = NULL;
    void *found = NULL;

    apr_pool_userdata_get(&found, key, pool);
    shared = found;
    if (!shared) {
        shared = apr_pcalloc(pool, sizeof(*shared));
        shared->contracts = apr_hash_make(pool);
        shared->texts = apr_hash_make(pool);
        shared->backends = apr_array_make(pool, 1, sizeof(account_backend_t *));
        shared->claims = account_claims_resolve(pool);
        apr_pool_userdata_setn(shared, key, NULL, pool);
    }
    return shared;
}

void *account_server_create(apr_pool_t *pool, server_rec *server)
{
    account_server_t *config = apr_pcalloc(pool, sizeof(*config));

    (void)server;
    config->shared = shared_of(pool);
    config->mounts = apr_array_make(pool, 2, sizeof(account_mount_t *));
    config->schema_may_change = -1;
    config->allow_navigation = -1;
    config->trust_same_site = -1;
    config->cookie_remove = -1;
    account_options_init(&config->options);
    account_sites_init(&config->sites);
    return config;
}

#define MERGE(member, unset) merged->member = add->member == (unset) ? base->member : add->member

void *account_server_merge(apr_pool_t *pool, void *base_config, void *add_config)
{
    const account_server_t *base = base_config;
    const account_server_t *add = add_config;
    account_server_t *merged = apr_pmemdup(pool, add, sizeof(*add));

    MERGE(keys, NULL);
    if (!add->driver) {
        merged->driver = base->driver;
        merged->params = base->params;
    }
    MERGE(connections, 0);
    MERGE(schema_may_change, -1);
    MERGE(realm, NULL);
    MERGE(public_origin, NULL);
    if (!add->cost_is_set) {
        merged->cost = base->cost;
        merged->cost_is_set = base->cost_is_set;
    }
    MERGE(session_idle, 0);
    MERGE(session_life, 0);
    MERGE(sessions_most, 0);
    MERGE(body_limit, 0);
    MERGE(allow_navigation, -1);
    MERGE(trust_same_site, -1);
    MERGE(cookie_remove, -1);
    MERGE(header_prefix, NULL);
    MERGE(header_keys, NULL);
    MERGE(audit_log, NULL);
    account_options_merge(&merged->options, &base->options, &add->options, pool);
    account_sites_merge(&merged->sites, &base->sites, &add->sites);
    merged->mounts = apr_array_append(pool, add->mounts, base->mounts);
    return merged;
}

void *account_directory_create(apr_pool_t *pool, char *directory)
{
    account_directory_t *config = apr_pcalloc(pool, sizeof(*config));

    (void)directory;
    config->query_secrets = -1;
    return config;
}

void *account_directory_merge(apr_pool_t *pool, void *base_config, void *add_config)
{
    const account_directory_t *base = base_config;
    const account_directory_t *add = add_config;
    account_directory_t *merged = apr_pmemdup(pool, add, sizeof(*add));

    MERGE(query_secrets, -1);
    MERGE(login_page, NULL);
    MERGE(user_field, NULL);
    if (!add->mounts) {
        merged->mounts = base->mounts;
        merged->directory = base->directory;
    }
    return merged;
}

account_server_t *account_server_of(const server_rec *server)
{
    return ap_get_module_config(server->module_config, &account_module);
}

account_directory_t *account_directory_of(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &account_module);
}

const char *account_config_read_keys(cmd_parms *cmd, const char *path, account_keys_t **keys)
{
    const char *error = "this is no path";

    path = ap_server_root_relative(cmd->pool, path);
    return path && account_keys_read(keys, &error, path, cmd->pool) == APR_SUCCESS
               ? NULL
               : apr_pstrcat(cmd->pool, cmd->cmd->name, ": ", error, NULL);
}

static const char *set_secret_file(cmd_parms *cmd, void *directory, const char *path)
{
    const char *error;

    (void)directory;
    if (account_directive_refused(cmd, &error)) {
        return error;
    }
    return account_config_read_keys(cmd, path, &account_server_of(cmd->server)->keys);
}

static const char *set_database(cmd_parms *cmd, void *directory, const char *driver,
                                const char *params)
{
    account_server_t *server = account_server_of(cmd->server);
    const apr_dbd_driver_t *found;
    int dialect = account_database_dialect(driver);
    const char *error;

    (void)directory;
    if (account_directive_refused(cmd, &error)) {
        return error;
    }
    if (dialect < 0) {
        return apr_psprintf(cmd->pool,
                            "AccountDatabase: there is no driver %s, use mysql or sqlite3", driver);
    }
    apr_dbd_init(cmd->pool);
    if (apr_dbd_get_driver(cmd->pool, driver, &found) != APR_SUCCESS) {
        return apr_psprintf(cmd->pool,
                            "AccountDatabase: apr-util has no driver %s here. On Debian it comes "
                            "with: apt-get install libaprutil1-dbd-%s",
                            driver, driver);
    }
    server->driver = driver;
    server->params = dialect == ACCOUNT_SQLITE3 && strcmp(params, ":memory:") != 0
                         ? ap_server_root_relative(cmd->pool, params)
                         : params;
    return server->params ? NULL : "AccountDatabase: this is no path";
}

/* A whole number within bounds; NULL, or what is wrong. */
static const char *parse_number(cmd_parms *cmd, const char *word, apr_int64_t most,
                                apr_int64_t *number)
{
    if (!*word || strlen(word) > 12 || word[strspn(word, "0123456789")]
        || (*number = apr_atoi64(word)) < 1 || *number > most) {
        return apr_psprintf(cmd->pool, "%s takes a whole number from 1 to %" APR_INT64_T_FMT,
                            cmd->cmd->name, most);
    }
    return NULL;
}

static const char *set_connections(cmd_parms *cmd, void *directory, const char *word)
{
    apr_int64_t number = 0;
    const char *error = parse_number(cmd, word, 1000, &number);

    (void)directory;
    account_server_of(cmd->server)->connections = (int)number;
    return error;
}

static const char *set_hash_slots(cmd_parms *cmd, void *directory, const char *word)
{
    apr_int64_t number = 0;
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)directory;
    if (!error) {
        error = parse_number(cmd, word, 1024, &number);
    }
    account_server_of(cmd->server)->shared->hash_slots = (int)number;
    return error;
}

static const char *set_body_limit(cmd_parms *cmd, void *directory, const char *word)
{
    (void)directory;
    return parse_number(cmd, word, 16 * 1024 * 1024, &account_server_of(cmd->server)->body_limit);
}

static const char *set_schema(cmd_parms *cmd, void *directory, const char *word)
{
    int is_auto = strcasecmp(word, "auto") == 0;

    (void)directory;
    if (!is_auto && strcasecmp(word, "manual") != 0) {
        return "AccountSchema takes auto (create and migrate the tables at start) or manual";
    }
    account_server_of(cmd->server)->schema_may_change = is_auto;
    return NULL;
}

static const char *set_realm(cmd_parms *cmd, void *directory, const char *name)
{
    const char *c, *error;

    (void)directory;
    if (account_directive_refused(cmd, &error)) {
        return error;
    }
    for (c = name; apr_isalnum(*c) || (*c && strchr("._-", *c)); c++) {
    }
    if (*c || c == name || c - name > 64) {
        return "AccountRealm takes 1 to 64 letters, digits, '.', '_' and '-'";
    }
    account_server_of(cmd->server)->realm = name;
    return NULL;
}

static const char *set_public_url(cmd_parms *cmd, void *directory, const char *url)
{
    const char *origin = account_origin_of(url, cmd->pool);
    const char *error;

    (void)directory;
    if (account_directive_refused(cmd, &error)) {
        return error;
    }
    if (!origin) {
        return apr_psprintf(cmd->pool,
                            "AccountPublicURL: \"%s\" is no address: write it as "
                            "https://shop.example",
                            url);
    }
    account_server_of(cmd->server)->public_origin = origin;
    return NULL;
}

static const char *set_password_hash(cmd_parms *cmd, void *directory, const char *words)
{
    account_server_t *server = account_server_of(cmd->server);
    const char *error = account_password_parse_cost(&server->cost, words, cmd->pool);

    (void)directory;
    server->cost_is_set = 1;
    return error ? apr_pstrcat(cmd->pool, "AccountPasswordHash: ", error, NULL) : NULL;
}

static const char *set_duration(cmd_parms *cmd, const char *word, apr_int64_t *milliseconds)
{
    const char *error = account_line_duration(word, milliseconds, cmd->pool);

    return error ? apr_pstrcat(cmd->pool, cmd->cmd->name, ": ", error, NULL) : NULL;
}

static const char *set_session_idle(cmd_parms *cmd, void *directory, const char *word)
{
    (void)directory;
    return set_duration(cmd, word, &account_server_of(cmd->server)->session_idle);
}

static const char *set_session_life(cmd_parms *cmd, void *directory, const char *word)
{
    (void)directory;
    return set_duration(cmd, word, &account_server_of(cmd->server)->session_life);
}

static const char *set_sessions_most(cmd_parms *cmd, void *directory, const char *word)
{
    int is_off = strcasecmp(word, "off") == 0;
    apr_int64_t number = -1;
    const char *error = is_off ? NULL : parse_number(cmd, word, 1000, &number);

    (void)directory;
    account_server_of(cmd->server)->sessions_most = (int)number;
    return error ? apr_pstrcat(cmd->pool, error, ", or off", NULL) : NULL;
}

static const char *set_allow_navigation(cmd_parms *cmd, void *directory, int on)
{
    (void)directory;
    account_server_of(cmd->server)->allow_navigation = on;
    return NULL;
}

static const char *set_trust_same_site(cmd_parms *cmd, void *directory, int on)
{
    (void)directory;
    account_server_of(cmd->server)->trust_same_site = on;
    return NULL;
}

static const char *set_cookie_remove(cmd_parms *cmd, void *directory, int on)
{
    (void)directory;
    account_server_of(cmd->server)->cookie_remove = on;
    return NULL;
}

static const char *set_query_secrets(cmd_parms *cmd, void *directory, int on)
{
    (void)cmd;
    ((account_directory_t *)directory)->query_secrets = on;
    return NULL;
}

/* Their setters ask account_directive_refused: httpd's own "not allowed here" says neither why nor
 * where to. */
#define REFUSED_IN_FOLDERS OR_ALL

#define MISPLACED(name)                                                                            \
    AP_INIT_RAW_ARGS(name, account_misplaced_directive, NULL, OR_ALL, "inside <AccountContract>")

const command_rec account_commands[] = {
    AP_INIT_TAKE1("AccountSecretFile", set_secret_file, NULL, RSRC_CONF | REFUSED_IN_FOLDERS,
                  "the file with the module's secret keys"),
    AP_INIT_TAKE2("AccountDatabase", set_database, NULL, RSRC_CONF | REFUSED_IN_FOLDERS,
                  "mysql \"host=… user=… dbname=…\", or sqlite3 and a file"),
    AP_INIT_TAKE1("AccountDatabaseConnections", set_connections, NULL, RSRC_CONF,
                  "connections of a child process, at most"),
    AP_INIT_TAKE1("AccountSchema", set_schema, NULL, RSRC_CONF, "auto or manual"),
    AP_INIT_TAKE1("AccountRealm", set_realm, NULL, RSRC_CONF | REFUSED_IN_FOLDERS,
                  "the name under which accounts and sessions are kept apart"),
    AP_INIT_TAKE1("AccountPublicURL", set_public_url, NULL, RSRC_CONF | REFUSED_IN_FOLDERS,
                  "the site's address as people type it"),
    AP_INIT_RAW_ARGS("AccountPasswordHash", set_password_hash, NULL, RSRC_CONF,
                     "argon2id m=… t=… p=…, or scrypt ln=… r=… p=…"),
    AP_INIT_TAKE1("AccountHashSlots", set_hash_slots, NULL, RSRC_CONF,
                  "passwords hashed at once, in all processes together"),
    AP_INIT_TAKE1(
        "AccountCache", account_cache_directive, NULL, RSRC_CONF,
        "shmcb, shmcb:file(bytes), memcache:host:port, redis:host:port or off: where sessions and "
        "right passwords are remembered for a while"),
    AP_INIT_TAKE1("AccountCacheTTL", account_cache_ttl_directive, NULL, RSRC_CONF,
                  "how long a remembered session is believed, or off"),
    AP_INIT_TAKE1("AccountCacheGrace", account_cache_grace_directive, NULL, RSRC_CONF,
                  "how long it is while the database can't be asked, or off"),
    AP_INIT_TAKE1("AccountSessionIdle", set_session_idle, NULL, RSRC_CONF,
                  "how long a session lives without a request"),
    AP_INIT_TAKE1("AccountSessionLife", set_session_life, NULL, RSRC_CONF,
                  "how long a session lives at most"),
    AP_INIT_TAKE1("AccountSessionsPerAccount", set_sessions_most, NULL, RSRC_CONF,
                  "how many sessions an account has at most, or off"),
    AP_INIT_TAKE1("AccountBodyLimit", set_body_limit, NULL, RSRC_CONF,
                  "bytes of a request's body, at most"),
    AP_INIT_FLAG("AccountAllowNavigation", set_allow_navigation, NULL, RSRC_CONF,
                 "whether an address typed into a browser may change state"),
    AP_INIT_FLAG("AccountTrustSameSite", set_trust_same_site, NULL, RSRC_CONF,
                 "whether pages of sibling domains may change state"),
    AP_INIT_TAKE_ARGV("AccountAllowOrigin", account_sites_origins, NULL, RSRC_CONF,
                      "origins of other sites whose scripts may call, or off"),
    AP_INIT_TAKE1("AccountSameSite", account_sites_cookie, NULL, RSRC_CONF,
                  "Lax, Strict or None: which pages send the cookies"),
    AP_INIT_FLAG("AccountInspectSecrets", account_sites_inspect, NULL, RSRC_CONF,
                 "whether mod_security sees queries with secrets"),
    AP_INIT_FLAG("AccountCookieRemove", set_cookie_remove, NULL, RSRC_CONF,
                 "whether session cookies are kept from scripts and applications"),
    AP_INIT_TAKE1("AccountHeaderPrefix", account_headers_set_prefix, NULL, RSRC_CONF,
                  "how the headers begin that tell back ends who asks, or off"),
    AP_INIT_TAKE1("AccountHeaderKey", account_headers_set_key, NULL, RSRC_CONF,
                  "the file with the key that these headers are signed with"),
    AP_INIT_TAKE1("AccountLoginPage", account_authn_set_login_page, NULL, RSRC_CONF | OR_AUTHCFG,
                  "where browsers are sent to sign in, or off"),
    AP_INIT_TAKE1("AccountUserField", account_claim_set_user, NULL, RSRC_CONF | OR_AUTHCFG,
                  "login_name, user_name, email, mobile or id: what REMOTE_USER is"),
    AP_INIT_RAW_ARGS("AccountMail", account_option_transport, (void *)ACCOUNT_MAIL,
                     RSRC_CONF | REFUSED_IN_FOLDERS,
                     "how mail goes out: smtp://…, |program, file:/path or off"),
    AP_INIT_RAW_ARGS("AccountSms", account_option_transport, (void *)ACCOUNT_SMS,
                     RSRC_CONF | REFUSED_IN_FOLDERS,
                     "how text messages go out: https://…, |program, file:/path or off"),
    AP_INIT_TAKE_ARGV("AccountLimit", account_option_limit, NULL, RSRC_CONF,
                      "the name of a limit and 5/1h 10/1d, or off"),
    AP_INIT_TAKE1("AccountTexts", account_option_texts, NULL, RSRC_CONF,
                  "the folder with the texts of messages and pages, a folder for each language"),
    AP_INIT_TAKE1("AccountLanguage", account_option_language, NULL, RSRC_CONF,
                  "the language of messages and pages"),
    AP_INIT_TAKE2("AccountLink", account_option_link, NULL, RSRC_CONF,
                  "activate or reset, and the page of the site that mails lead to"),
    AP_INIT_FLAG("AccountActivation", account_option_activation, NULL, RSRC_CONF,
                 "whether new accounts wait for the link in their mail"),
    AP_INIT_TAKE_ARGV("AccountRoles", account_option_roles, (void *)ACCOUNT_ROLES_ALL, RSRC_CONF,
                      "all roles; the first is given"),
    AP_INIT_TAKE_ARGV("AccountChosenRoles", account_option_roles, (void *)ACCOUNT_ROLES_CHOSEN,
                      RSRC_CONF, "the roles that people may give themselves"),
    AP_INIT_TAKE_ARGV("AccountAdminRoles", account_option_roles, (void *)ACCOUNT_ROLES_ADMIN,
                      RSRC_CONF, "the roles that may change those of others"),
    AP_INIT_TAKE1("AccountEnumeration", account_option_enumeration, NULL, RSRC_CONF,
                  "contract or strict"),
    AP_INIT_TAKE1("AccountTimeZone", account_option_zone, NULL, RSRC_CONF,
                  "where years and months begin: +08:00"),
    AP_INIT_TAKE1("AccountCaptchaFont", account_option_font, NULL, RSRC_CONF,
                  "the font that captchas are drawn in"),
    AP_INIT_TAKE1("AccountDeviceCookie", account_option_device_cookie, NULL, RSRC_CONF,
                  "the cookie of browsers that have logged in before, or off"),
    AP_INIT_RAW_ARGS("AccountLookup", account_option_lookup, NULL, RSRC_CONF | REFUSED_IN_FOLDERS,
                     "fields, and the query of the site's own tables that fills them"),
    AP_INIT_TAKE1(
        "AccountAuditLog", account_audit_directive, NULL, RSRC_CONF | REFUSED_IN_FOLDERS,
        "a file or |program for one line of JSON for each security event, error-log or off"),
    AP_INIT_FLAG("AccountQuerySecrets", set_query_secrets, NULL, ACCESS_CONF | OR_FILEINFO,
                 "whether a mount in .htaccess takes secrets by GET"),
    AP_INIT_TAKE_ARGV("AccountMount", account_mount_directive, NULL, RSRC_CONF | OR_FILEINFO,
                      "[url-path] contract [route]"),
    AP_INIT_RAW_ARGS("<AccountContract", account_contract_directive, NULL, RSRC_CONF,
                     "a published API"),
    MISPLACED("<AccountRoute"),
    MISPLACED("AccountAction"),
    MISPLACED("AccountCookie"),
    MISPLACED("AccountMap"),
    MISPLACED("AccountMessage"),
    MISPLACED("AccountPage"),
    MISPLACED("AccountParam"),
    MISPLACED("AccountReply"),
    MISPLACED("AccountSet"),
    MISPLACED("AccountShape"),
    {NULL},
};
