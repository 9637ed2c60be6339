#include <httpd.h>
#include <ap_mpm.h>
#include <apr_atomic.h>
#include <apr_optional.h>
#include <apr_strings.h>
#include <http_log.h>
#include <mod_watchdog.h>
#include <string.h>

#include "action/delivery.h"
#include "base/clock.h"
#include "base/exit.h"
#include "httpd/glue.h"
#include "store/sweep.h"

APLOG_USE_MODULE(account);

/*
 * mod_watchdog's threads: one child at a time works in each, all children have it and ask ten times
 * a second whether they may. So there are eight for delivery at most: up to eight transports have a
 * thread each, where one that is busy delays no other; more share, one after the other in a round.
 * Nothing here delays a request.
 */

#define DELIVERERS 8

#define DELIVERY_INTERVAL apr_time_from_msec(500)
#define SWEEP_INTERVAL apr_time_from_sec(60)
/* Pieces of 500 rows that one sweep removes at most: the rest is the next one's. */
#define SWEEP_PIECES 100
/* For everything that a piece of work asks of the database. */
#define PATIENCE apr_time_from_msec(2500)
/* How long a child that ends waits for its threads, which have been told to end. */
#define FAREWELL apr_time_from_sec(6)

/* Shared by the threads of a child; made before the fork. */
typedef struct account_background_t {
    apr_uint32_t stopping;              /* the child is to end */
    apr_uint32_t running;               /* threads that are at work */
    const apr_array_header_t *backends; /* of account_backend_t * */
    account_exit_t exit;
} account_background_t;

/* What of a backend goes through one transport. */
typedef struct account_route_out_t {
    const account_transport_t *transport;
    account_backend_t *backend;
    apr_array_header_t *posts; /* of account_post_t * */
} account_route_out_t;

/* A thread: one that delivers, or (ways NULL) the one that sweeps. */
typedef struct account_worker_t {
    account_background_t *background;
    apr_array_header_t *ways;           /* of account_route_out_t *: those of its transports */
    const apr_array_header_t *backends; /* of account_backend_t *: the sweeper's */
    server_rec *server;                 /* for the log */
} account_worker_t;

/* mod_watchdog tells its callbacks that the server stops only between two calls; the MPM knows
 * sooner. Its own word for older ones that stop their children otherwise. */
static int is_stopping(void *baton)
{
    account_background_t *background = baton;
    int state = 0;

    return apr_atomic_read32(&background->stopping)
           || ap_mpm_query(AP_MPMQ_MPM_STATE, &state) != APR_SUCCESS || state == AP_MPMQ_STOPPING;
}

/* 0: this child has no database (yet). */
static int prepare(account_store_t *store, const account_backend_t *backend, apr_pool_t *pool)
{
    *store = (account_store_t){
        .database = backend->database,
        .realm = "",
        .keys = backend->schema.keys,
        .random = &account_random_secure,
        .log = &backend->log,
        .now = apr_time_as_msec(apr_time_now()),
        .deadline = account_clock_monotonic() + PATIENCE,
        .pool = pool,
    };
    return store->database != NULL;
}

/* The database's own trouble is in the log already, once and not for each round. */
static void log_failure(const account_worker_t *worker, apr_status_t rv, const char *what)
{
    if (rv != APR_SUCCESS && !ACCOUNT_STATUS_IS_OURS(rv)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, worker->server, ACLOGNO(00213) "%s failed", what);
    }
}

/* Rounds, until there is nothing to deliver now. */
static void deliver(const account_worker_t *worker, apr_pool_t *pool)
{
    int any, i;

    do {
        any = 0;
        for (i = 0; i < worker->ways->nelts && !is_stopping(worker->background); i++) {
            account_route_out_t *way = APR_ARRAY_IDX(worker->ways, i, account_route_out_t *);
            account_round_t round = {
                .posts = (account_post_t *const *)way->posts->elts,
                .count = way->posts->nelts,
                .stopping = is_stopping,
                .baton = worker->background,
            };
            account_store_t store;
            int busy = 0;

            apr_pool_clear(pool);
            if (prepare(&store, way->backend, pool)) {
                apr_status_t rv = account_delivery_round(&store, &round, &busy);

                log_failure(worker, rv, "delivering messages");
                any |= rv == APR_SUCCESS && busy;
            }
        }
    } while (any && !is_stopping(worker->background));
}

static void sweep(const account_worker_t *worker, apr_pool_t *pool)
{
    int i, pieces;

    for (i = 0; i < worker->backends->nelts; i++) {
        const account_backend_t *backend = APR_ARRAY_IDX(worker->backends, i, account_backend_t *);
        int more = 1;

        for (pieces = 0; more && pieces < SWEEP_PIECES && !is_stopping(worker->background);
             pieces++) {
            account_store_t store;
            apr_status_t rv;

            apr_pool_clear(pool);
            more = 0;
            if (prepare(&store, backend, pool)) {
                rv = account_sweep(&store, &more);
                log_failure(worker, rv, "removing what has expired");
                more &= rv == APR_SUCCESS;
            }
        }
    }
}

/* data is an account_worker_t; pool goes after the call. */
static apr_status_t work(int state, void *data, apr_pool_t *pool)
{
    const account_worker_t *worker = data;
    account_background_t *background = worker->background;
    apr_pool_t *rounds;

    if (state != AP_WATCHDOG_STATE_RUNNING) {
        return APR_SUCCESS;
    }
    apr_atomic_inc32(&background->running);
    if (!is_stopping(background)) {
        apr_pool_create(&rounds, pool);
        if (worker->ways) {
            deliver(worker, rounds);
        }
        else {
            sweep(worker, rounds);
        }
        apr_pool_destroy(rounds);
    }
    /* mod_watchdog joins its threads from a handler of exit(), after that of OpenSSL. */
    account_exit_thread();
    apr_atomic_dec32(&background->running);
    return APR_SUCCESS;
}

static int is_over(void *baton)
{
    account_background_t *background = baton;

    return apr_atomic_read32(&background->running) == 0;
}

/* A name is looked up for as long as the resolver likes. Whoever comes back from that finds a
 * database that does nothing any more, and the process does not take anything else away. */
static void leave_behind(account_background_t *background)
{
    int i;

    for (i = 0; i < background->backends->nelts; i++) {
        account_backend_t *backend = APR_ARRAY_IDX(background->backends, i, account_backend_t *);

        if (backend->database) {
            account_database_keep(backend->database);
        }
    }
    account_exit_guard(&background->exit);
}

/* Before anything of the child's pool is destroyed. */
static apr_status_t end(void *data)
{
    account_background_t *background = data;
    apr_time_t until = account_clock_monotonic() + FAREWELL;

    apr_atomic_set32(&background->stopping, 1);
    while (apr_atomic_read32(&background->running) && account_clock_monotonic() < until) {
        apr_sleep(apr_time_from_msec(10));
    }
    if (!is_over(background)) {
        leave_behind(background);
    }
    return APR_SUCCESS;
}

void account_background_begin(server_rec *servers, apr_pool_t *pchild)
{
    account_background_t *background = account_server_of(servers)->shared->background;

    if (background) {
        account_exit_keep_code();
        apr_pool_pre_cleanup_register(pchild, background, end);
    }
}

/* The transport under which all that are the same as this one go; itself: it is the first. */
static const account_transport_t *first_of(apr_array_header_t *transports,
                                           const account_transport_t *transport)
{
    int i;

    for (i = 0; i < transports->nelts; i++) {
        const account_transport_t *first =
            APR_ARRAY_IDX(transports, i, const account_transport_t *);

        if (account_transport_is_same(first, transport)) {
            return first;
        }
    }
    APR_ARRAY_PUSH(transports, const account_transport_t *) = transport;
    return transport;
}

static account_route_out_t *way_of(apr_array_header_t *ways, const account_transport_t *transport,
                                   account_backend_t *backend)
{
    apr_pool_t *pool = ways->pool;
    account_route_out_t *way;
    int i;

    for (i = 0; i < ways->nelts; i++) {
        way = APR_ARRAY_IDX(ways, i, account_route_out_t *);
        if (way->transport == transport && way->backend == backend) {
            return way;
        }
    }
    way = apr_pcalloc(pool, sizeof(*way));
    way->transport = transport;
    way->backend = backend;
    way->posts = apr_array_make(pool, 2, sizeof(account_post_t *));
    APR_ARRAY_PUSH(ways, account_route_out_t *) = way;
    return way;
}

static void add_post(apr_array_header_t *ways, apr_array_header_t *transports,
                     const account_server_t *config, account_channel_e channel)
{
    const account_transport_t *transport =
        first_of(transports, config->options.transports[channel].transport);
    account_route_out_t *way = way_of(ways, transport, config->backend);
    account_post_t *post;
    int i;

    for (i = 0; i < way->posts->nelts; i++) {
        post = APR_ARRAY_IDX(way->posts, i, account_post_t *);
        if (post->channel == channel && strcmp(post->realm, config->realm) == 0) {
            return;
        }
    }
    post = apr_pcalloc(ways->pool, sizeof(*post));
    post->realm = config->realm;
    post->channel = channel;
    post->transport = transport;
    APR_ARRAY_PUSH(way->posts, account_post_t *) = post;
}

static void add_way(apr_array_header_t *workers, int place, account_route_out_t *way)
{
    account_worker_t *worker;

    if (place == workers->nelts) {
        worker = apr_pcalloc(workers->pool, sizeof(*worker));
        worker->ways = apr_array_make(workers->pool, 1, sizeof(account_route_out_t *));
        APR_ARRAY_PUSH(workers, account_worker_t *) = worker;
    }
    worker = APR_ARRAY_IDX(workers, place, account_worker_t *);
    APR_ARRAY_PUSH(worker->ways, account_route_out_t *) = way;
}

/* Of account_worker_t *, over which the distinct transports of servers that have a database are
 * spread: each transport has one, so that it is used by one thread at a time. */
static apr_array_header_t *delivery_workers(server_rec *servers, apr_pool_t *pool)
{
    apr_array_header_t *workers = apr_array_make(pool, DELIVERERS, sizeof(account_worker_t *));
    apr_array_header_t *transports = apr_array_make(pool, 4, sizeof(account_transport_t *));
    apr_array_header_t *ways = apr_array_make(pool, 4, sizeof(account_route_out_t *));
    server_rec *server;
    int i, j;

    for (server = servers; server; server = server->next) {
        const account_server_t *config = account_server_of(server);

        for (i = 0; config->backend && i < ACCOUNT_CHANNELS; i++) {
            if (config->options.transports[i].transport) {
                add_post(ways, transports, config, i);
            }
        }
    }
    for (i = 0; i < transports->nelts; i++) {
        for (j = 0; j < ways->nelts; j++) {
            account_route_out_t *way = APR_ARRAY_IDX(ways, j, account_route_out_t *);

            if (way->transport == APR_ARRAY_IDX(transports, i, const account_transport_t *)) {
                add_way(workers, i % DELIVERERS, way);
            }
        }
    }
    return workers;
}

int account_background_check(server_rec *servers)
{
    server_rec *server;
    int i;

    if (APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance)) {
        return 1;
    }
    for (server = servers; server; server = server->next) {
        const account_server_t *config = account_server_of(server);

        for (i = 0; config->backend && i < ACCOUNT_CHANNELS; i++) {
            const account_transport_option_t *option = &config->options.transports[i];

            if (option->transport) {
                ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, 0, server,
                             ACLOGNO(00214) "Syntax error on line %d of %s: %s needs mod_watchdog, "
                                            "whose threads deliver: LoadModule watchdog_module "
                                            "modules/mod_watchdog.so",
                             option->place.line, option->place.file,
                             i == ACCOUNT_MAIL ? "AccountMail" : "AccountSms");
                return 0;
            }
        }
    }
    return 1;
}

static apr_status_t hire(account_worker_t *worker, const char *name, apr_interval_time_t interval,
                         apr_pool_t *pconf)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *call =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    ap_watchdog_t *watchdog;
    apr_status_t rv = get(&watchdog, name, 0, 1, pconf);

    return rv == APR_SUCCESS ? call(watchdog, interval, worker, work) : rv;
}

apr_status_t account_background_create(server_rec *servers, apr_pool_t *pconf)
{
    account_shared_t *shared = account_server_of(servers)->shared;
    apr_array_header_t *workers = delivery_workers(servers, pconf);
    account_worker_t *sweeper = apr_pcalloc(pconf, sizeof(*sweeper));
    apr_status_t rv = APR_SUCCESS;
    int i;

    if (!APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, servers,
                     ACLOGNO(00215) "mod_watchdog is not loaded: nobody removes sessions and codes "
                                    "that have expired");
        return APR_SUCCESS;
    }
    shared->background = apr_pcalloc(pconf, sizeof(*shared->background));
    shared->background->backends = shared->backends;
    shared->background->exit.is_over = is_over;
    shared->background->exit.baton = shared->background;
    sweeper->backends = shared->backends;
    APR_ARRAY_PUSH(workers, account_worker_t *) = sweeper;
    for (i = 0; i < workers->nelts && rv == APR_SUCCESS; i++) {
        account_worker_t *worker = APR_ARRAY_IDX(workers, i, account_worker_t *);

        worker->background = shared->background;
        worker->server = servers;
        rv =
            hire(worker,
                 worker->ways ? apr_psprintf(pconf, "_account_delivery_%d_", i) : "_account_sweep_",
                 worker->ways ? DELIVERY_INTERVAL : SWEEP_INTERVAL, pconf);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, rv, servers,
                     ACLOGNO(00216) "mod_watchdog gives no thread");
    }
    return rv;
}
