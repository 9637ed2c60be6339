#include <ap_mpm.h>
#include <apr_dbd.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <mpm_common.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unixd.h>
#include <util_mutex.h>

#include "base/text.h"
#include "httpd/cache.h"
#include "httpd/counters.h"
#include "httpd/glue.h"
#include "store/statements.h"

APLOG_USE_MODULE(account);

#define WRITER_MUTEX "account-writer"
#define CONNECTIONS_PER_CHILD 4

/* The core's log lines come from any thread and belong to no request. baton is the server. */
static void log_from_core(void *baton, account_log_level_e level, apr_status_t status,
                          const char *message)
{
    static const int levels[] = {
        [ACCOUNT_LOG_ERROR] = APLOG_ERR,
        [ACCOUNT_LOG_WARNING] = APLOG_WARNING,
        [ACCOUNT_LOG_NOTICE] = APLOG_NOTICE,
        [ACCOUNT_LOG_DEBUG] = APLOG_DEBUG,
    };

    ap_log_error(APLOG_MARK, levels[level], ACCOUNT_STATUS_IS_OURS(status) ? 0 : status,
                 (server_rec *)baton, "%s", message);
}

static int is_sqlite(const account_backend_t *backend)
{
    return account_database_dialect(backend->driver) == ACCOUNT_SQLITE3;
}

/* Servers with the same driver, parameters and key share a pool of connections: the largest that
 * one of them asks for; and one that forbids changes of the schema forbids them for all. */
static account_backend_t *backend_of(const account_server_t *config, server_rec *server,
                                     apr_pool_t *pool)
{
    apr_array_header_t *backends = config->shared->backends;
    account_backend_t *backend;
    int i;

    for (i = 0; i < backends->nelts; i++) {
        backend = APR_ARRAY_IDX(backends, i, account_backend_t *);
        if (strcmp(backend->driver, config->driver) == 0
            && strcmp(backend->params, config->params) == 0
            && strcmp(account_keys_fingerprint(backend->schema.keys, 0, pool),
                      account_keys_fingerprint(config->keys, 0, pool))
                   == 0) {
            backend->connections = config->connections > backend->connections
                                       ? config->connections
                                       : backend->connections;
            backend->schema.may_change &= config->schema_may_change != 0;
            return backend;
        }
    }
    backend = apr_pcalloc(pool, sizeof(*backend));
    backend->number = backends->nelts;
    backend->driver = config->driver;
    backend->params = config->params;
    backend->connections = config->connections;
    backend->schema.keys = config->keys;
    backend->schema.may_change = config->schema_may_change != 0;
    backend->statements = apr_array_make(pool, ACCOUNT_SQL_COUNT, sizeof(account_statement_t));
    for (i = 0; i < ACCOUNT_SQL_COUNT; i++) {
        APR_ARRAY_PUSH(backend->statements, account_statement_t) = account_statements[i];
    }
    backend->log.fn = log_from_core;
    backend->log.baton = server;
    APR_ARRAY_PUSH(backends, account_backend_t *) = backend;
    return backend;
}

static const account_mount_t *first_mount(const account_server_t *config)
{
    return config->mounts->nelts ? APR_ARRAY_IDX(config->mounts, 0, account_mount_t *) : NULL;
}

/* What has not been set gets its default; what can't be missing is complained about. */
static int complete_server(account_server_t *config, server_rec *server, apr_pool_t *pool)
{
    const account_mount_t *mount = first_mount(config);

    if (!account_defaults_fill(config, server, pool)) {
        return 0;
    }
    if (mount && (!config->driver || !config->keys)) {
        ap_log_error(
            APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, server,
            ACLOGNO(00200) "Syntax error on line %d of %s: AccountMount needs %s: %s", mount->line,
            mount->file, config->driver ? "AccountSecretFile" : "AccountDatabase",
            config->driver ? "AccountSecretFile /etc/apache2/account.key, made with: (umask 077; "
                             "openssl rand -base64 32 > /etc/apache2/account.key)"
                           : "AccountDatabase sqlite3 /var/lib/account/account.db, or mysql "
                             "\"host=… user=… pass=… dbname=…\"");
        return 0;
    }
    if (config->driver && config->keys) {
        config->backend = backend_of(config, server, pool);
    }
    account_defaults_number_lookups(config, pool);
    config->router = account_router_make(config->mounts, pool);
    return 1;
}

void account_cookie_add(apr_array_header_t *names, const char *name)
{
    if (!account_text_is_in(names, name)) {
        APR_ARRAY_PUSH(names, const char *) = name;
    }
}

/* Whatever contract a session was begun with, every server of its realm knows its cookie. Where
 * the realm has no mount here, it is begun elsewhere, through any contract. */
static void collect_cookies(account_server_t *config, server_rec *servers, apr_pool_t *pool)
{
    apr_hash_index_t *index;
    server_rec *server;
    int i;

    config->cookie_names = apr_array_make(pool, 4, sizeof(const char *));
    for (server = servers; server; server = server->next) {
        const account_server_t *other = account_server_of(server);

        for (i = 0; i < other->mounts->nelts; i++) {
            if (other->backend == config->backend && strcmp(other->realm, config->realm) == 0) {
                account_cookie_add(
                    config->cookie_names,
                    APR_ARRAY_IDX(other->mounts, i, account_mount_t *)->contract->cookie);
            }
        }
    }
    config->taken_out = apr_array_copy(pool, config->cookie_names);
    if (config->cookie_names->nelts == 0) {
        for (index = apr_hash_first(pool, config->shared->contracts); index;
             index = apr_hash_next(index)) {
            const account_contract_t *contract = apr_hash_this_val(index);

            account_cookie_add(config->cookie_names, contract->cookie);
        }
    }
    if (config->settings.device_cookie) {
        account_cookie_add(config->taken_out, config->settings.device_cookie);
    }
}

/* One cookie can't be both. */
static int check_device_cookie(const account_server_t *config, server_rec *server)
{
    const account_mount_t *mount = first_mount(config);
    const char *device = config->settings.device_cookie;

    if (mount && device && account_text_is_in(config->cookie_names, device)) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, server,
                     ACLOGNO(00217) "Syntax error on line %d of %s: AccountDeviceCookie %s is "
                                    "the session's cookie of a contract that is mounted: take "
                                    "another name",
                     mount->line, mount->file, device);
        return 0;
    }
    return 1;
}

/* A request must not have two answers: compares the routes of two mounts of one server. */
static int check_overlap(const account_mount_t *a, const account_mount_t *b, server_rec *server)
{
    int i, j;

    if (a->server != b->server || strcmp(a->path, b->path) != 0 || !a->only != !b->only) {
        return 1; /* what a virtual host mounts itself comes before what it inherits */
    }
    for (i = 0; i < a->contract->routes->nelts; i++) {
        const account_route_t *x = APR_ARRAY_IDX(a->contract->routes, i, account_route_t *);

        for (j = 0; j < b->contract->routes->nelts; j++) {
            const account_route_t *y = APR_ARRAY_IDX(b->contract->routes, j, account_route_t *);

            if ((a->only && (a->only != x || b->only != y)) || !account_routes_overlap(x, y)) {
                continue;
            }
            ap_log_error(
                APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, server,
                ACLOGNO(00201) "Syntax error on line %d of %s: AccountMount %s %s and the "
                               "one on line %d of %s answer the same request: route %s, route %s",
                a->line, a->file, *a->path ? a->path : "/", a->contract->name, b->line, b->file,
                x->name, y->name);
            return 0;
        }
    }
    return 1;
}

/* The lines of a server that say Require account…. */
static int check_requirements(const account_server_t *config, server_rec *server, apr_pool_t *pool)
{
    int i;

    for (i = 0; config->requirements && i < config->requirements->nelts; i++) {
        const account_requirement_t *requirement =
            &APR_ARRAY_IDX(config->requirements, i, account_requirement_t);
        const char *error = !config->backend ? "Require account needs AccountDatabase and "
                                               "AccountSecretFile in the server's configuration"
                            : requirement->roles
                                ? account_authz_wrong_role(config, requirement->roles, pool)
                                : NULL;

        if (error) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, server,
                         ACLOGNO(00267) "Syntax error on line %d of %s: %s",
                         requirement->place.line, requirement->place.file, error);
            return 0;
        }
    }
    return 1;
}

/* The only hook that sees the whole configuration and that configtest runs too. */
static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *servers)
{
    server_rec *server;
    int i, j;

    (void)plog;
    for (server = servers; server; server = server->next) {
        account_server_t *config = account_server_of(server);

        if (!complete_server(config, server, pconf)) {
            return !OK;
        }
        for (i = 0; i < config->mounts->nelts; i++) {
            for (j = 0; j < i; j++) {
                if (!check_overlap(APR_ARRAY_IDX(config->mounts, i, account_mount_t *),
                                   APR_ARRAY_IDX(config->mounts, j, account_mount_t *), server)) {
                    return !OK;
                }
            }
        }
    }
    for (server = servers; server; server = server->next) {
        collect_cookies(account_server_of(server), servers, pconf);
        if (!check_device_cookie(account_server_of(server), server)
            || !check_requirements(account_server_of(server), server, ptemp)) {
            return !OK;
        }
    }
    return account_background_check(servers) && account_needs_check(servers, pconf)
                   && account_cache_check(servers, pconf)
               ? OK
               : !OK;
}

static int pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)plog, (void)ptemp;
    return ap_mutex_register(pconf, WRITER_MUTEX, NULL, APR_LOCK_DEFAULT, 0) == APR_SUCCESS
                   && account_cache_register(pconf) == APR_SUCCESS
               ? OK
               : !OK;
}

static account_database_config_t database_config(const account_shared_t *shared,
                                                 account_backend_t *backend)
{
    int threads = 0;

    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    return (account_database_config_t){
        .driver = backend->driver,
        .params = backend->params,
        .statements = (const account_statement_t *)backend->statements->elts,
        .statement_count = backend->statements->nelts,
        .connections = strcmp(backend->params, ":memory:") == 0 ? 1
                       : backend->connections                   ? backend->connections
                       : threads > 1                            ? CONNECTIONS_PER_CHILD
                                                                : 1,
        .writer = is_sqlite(backend) ? shared->writer : NULL,
        .on_connect = account_schema_check,
        .on_connect_baton = &backend->schema,
        .log = &backend->log,
        .gauges = account_counters_gauges(shared, backend),
    };
}

/* Root does nothing in the database's folder: it belongs to others, who could have put a link
 * there. So the work is done by a child that has become the user of the children. */
static apr_status_t try_as_user(const account_database_config_t *config, apr_pool_t *pool)
{
    int status = 0;
    pid_t pid;

    if (geteuid() != 0 || ap_unixd_config.user_id == 0) {
        return account_database_try(config, pool);
    }
    pid = fork();
    if (pid == 0) {
        _exit(ap_run_drop_privileges(pool, ap_server_conf) == OK
                      && account_database_try(config, pool) == APR_SUCCESS
                  ? 0
                  : 1);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? APR_SUCCESS
                                                                    : ACCOUNT_EDATABASE;
}

/* An SQLite file is made and migrated before the fork, so that a fault shows at start. A MySQL
 * server may be down or frozen now: the children see to it with their first connection. */
static int prepare_sqlite(const account_shared_t *shared, account_backend_t *backend,
                          server_rec *server, apr_pool_t *pool)
{
    account_database_config_t config = database_config(shared, backend);
    apr_status_t rv;

    if (!is_sqlite(backend) || strcmp(backend->params, ":memory:") == 0) {
        return 1;
    }
    config.writer = NULL;
    rv = try_as_user(&config, pool);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, ACCOUNT_STATUS_IS_OURS(rv) ? 0 : rv,
                     server,
                     ACLOGNO(00202) "AccountDatabase sqlite3 %s can't be used (the lines before "
                                    "say why). Its folder must exist and belong to the user of the "
                                    "children, and so must the file",
                     backend->params);
    }
    return rv == APR_SUCCESS;
}

static int threads_of_child(void)
{
    int threads = 0; /* so says an MPM without threads */

    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    return threads > 1 ? threads : 1;
}

/* A quarter of the workers may wait; of one child three quarters (child_init), since its
 * connections are its own: the others are left for who wants something else. */
static int make_gate(account_shared_t *shared, server_rec *server, apr_pool_t *pool)
{
    int processes = 1;
    int slots = shared->hash_slots ? shared->hash_slots : (int)sysconf(_SC_NPROCESSORS_ONLN);
    int waiters;
    apr_status_t rv;

    ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &processes);
    slots = slots < 1 ? 1 : slots;
    waiters = processes * threads_of_child() / 4;
    waiters = waiters < 4 ? 4 : waiters > 30000 ? 30000 : waiters;
    rv = account_gate_create(&shared->gate, slots, waiters,
                             geteuid() == 0 ? (int)ap_unixd_config.user_id : -1, pool);
    if (rv != APR_SUCCESS) {
        ap_log_error(
            APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, rv, server,
            ACLOGNO(
                00203) "no semaphores for the gate of password hashing: see "
                       "kernel.sem in sysctl(8), and ipcs -s for what is left of killed servers");
    }
    return rv == APR_SUCCESS;
}

/* Each is said once, of the first server that it is true of. */
static void warn(server_rec *servers)
{
    int weak = 0, nameless = 0;
    server_rec *server;

    for (server = servers; server; server = server->next) {
        const account_server_t *config = account_server_of(server);

        if (config->backend && account_password_cost_is_weak(&config->settings.cost) && !weak++) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server,
                         ACLOGNO(00204) "AccountPasswordHash is cheaper than OWASP's least: right "
                                        "for tests only");
        }
        if (config->mounts->nelts && !config->public_origin && !nameless++) {
            ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, server,
                         ACLOGNO(00205) "no AccountPublicURL: a browser's Origin is compared with "
                                        "ServerName and ServerAlias, and cookies are Secure by "
                                        "the connection");
        }
    }
}

/*
 * 1. not while the configuration is only tried (httpd reads it twice at start)
 * 2. the gate for password hashing and the counters, shared by all children
 * 3. the mutex of SQLite writers, if there is an SQLite database
 * 4. SQLite files: made and migrated, as the user of the children
 * 5. threads for what goes on beside requests: mod_watchdog's own hook comes after this one
 * 6. the cache
 * 7. warnings, once
 */
static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *servers)
{
    account_shared_t *shared = account_server_of(servers)->shared;
    int i;

    (void)plog;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG /*1*/
        || shared->backends->nelts == 0) {
        return OK;
    }
    if (!make_gate(shared, servers, pconf)
        || account_counters_create(shared, servers, pconf) != APR_SUCCESS /*2*/) {
        return !OK;
    }
    for (i = 0; i < shared->backends->nelts; i++) {
        account_backend_t *backend = APR_ARRAY_IDX(shared->backends, i, account_backend_t *);

        if (is_sqlite(backend) && !shared->writer /*3*/
            && ap_global_mutex_create(&shared->writer, &shared->writer_file, WRITER_MUTEX, NULL,
                                      servers, pconf, 0)
                   != APR_SUCCESS) {
            return !OK;
        }
        if (!prepare_sqlite(shared, backend, servers, ptemp) /*4*/) {
            return !OK;
        }
    }
    if (account_background_create(servers, pconf) /*5*/ != APR_SUCCESS) {
        return !OK;
    }
    if (account_cache_create(servers, pconf) /*6*/ != APR_SUCCESS) {
        return !OK;
    }
    warn(servers); /*7*/
    return OK;
}

static void child_init(apr_pool_t *pchild, server_rec *servers)
{
    account_shared_t *shared = account_server_of(servers)->shared;
    apr_status_t rv;
    int i;

    account_counters_begin(shared);
    account_background_begin(servers, pchild);
    account_gate_attach(shared->gate, threads_of_child() * 3 / 4, pchild);
    account_cache_begin(servers, pchild);
    if (shared->writer) {
        rv = apr_global_mutex_child_init(&shared->writer, shared->writer_file, pchild);
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, rv, servers,
                         ACLOGNO(00206) "the mutex of SQLite writers can't be had in this child");
            return; /* no database at all is 503; one without its mutex would be worse */
        }
    }
    for (i = 0; i < shared->backends->nelts; i++) {
        account_backend_t *backend = APR_ARRAY_IDX(shared->backends, i, account_backend_t *);
        account_database_config_t config = database_config(shared, backend);

        rv = account_database_create(&backend->database, &config, pchild);
        if (rv != APR_SUCCESS) {
            backend->database = NULL;
            ap_log_error(APLOG_MARK, APLOG_CRIT, rv, servers,
                         ACLOGNO(00207) "no pool of database connections in this child");
        }
    }
}

void account_startup_register_hooks(apr_pool_t *pool)
{
    /* its threads want databases */
    static const char *const before[] = {"mod_watchdog.c", NULL};

    (void)pool;
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, NULL, before, APR_HOOK_MIDDLE);
}
