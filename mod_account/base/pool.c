#include "base/keeper.h"

#include <time.h>

#include <apr_strings.h>

#include "base/clock.h"

/* How long the end of the pool waits for others to let go of what it owns. */
#define PATIENCE apr_time_from_sec(2)

apr_pool_t *account_pool_memory(account_pool_t *connections)
{
    return connections->pool;
}

void account_pool_hold(account_pool_t *connections)
{
    __atomic_add_fetch(&connections->references, 1, __ATOMIC_RELAXED);
}

void account_pool_release(account_pool_t *connections)
{
    if (__atomic_sub_fetch(&connections->references, 1, __ATOMIC_ACQ_REL) == 0) {
        pthread_mutex_destroy(&connections->mutex);
        pthread_cond_destroy(&connections->available);
        pthread_cond_destroy(&connections->wake);
        pthread_cond_destroy(&connections->quiet);
        apr_pool_destroy(connections->pool);
    }
}

/* The end of the caller's pool. */
static apr_status_t stop(void *data)
{
    account_pool_t *connections = data;
    account_db_t *idle, *db;
    opening_t *opening;
    account_gauges_t *gauges;
    apr_time_t until = account_clock_monotonic() + PATIENCE;
    struct timespec soon;
    int is_busy = 1;

    /* config's gauges end with the caller's pool, an opener that is stuck does not */
    gauges = __atomic_exchange_n(&connections->gauges, &connections->own, __ATOMIC_ACQ_REL);
    gauges->open = gauges->lent = gauges->waiting = gauges->is_down = 0;
    /* A child of prefork may end within a signal handler, which may have interrupted whoever has
     * the lock in this very thread. */
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec += apr_time_sec(PATIENCE);
    if (pthread_mutex_timedlock(&connections->mutex, &soon) != 0) {
        return APR_TIMEUP;
    }
    connections->is_stopping = 1;
    connections->opening -= connections->to_start;
    connections->to_start = 0;
    pthread_cond_broadcast(&connections->wake);
    pthread_cond_broadcast(&connections->available);
    account_pool_unlock(connections);
    if (connections->has_keeper) {
        pthread_join(connections->keeper, NULL);
    }

    account_pool_lock(connections);
    idle = connections->idle;
    connections->idle = NULL;
    /* Who uses a connection uses what lives in the caller's pool too. Their statements fail now, so
     * this takes no time; who is still trying to connect knows nothing of that pool. */
    while (is_busy && account_clock_monotonic() < until) {
        is_busy = 0;
        for (db = connections->lent; db != NULL; db = db->next) {
            account_dbd_interrupt(db);
            is_busy = 1;
        }
        for (opening = connections->openings; opening != NULL; opening = opening->next) {
            if (opening->db != NULL) {
                account_dbd_interrupt(opening->db);
                is_busy = 1;
            }
        }
        if (is_busy) {
            account_pool_wait(connections, &connections->quiet, until);
        }
    }
    account_pool_unlock(connections);
    account_pool_close_all(idle);
    account_pool_release(connections);
    return APR_SUCCESS;
}

apr_status_t account_pool_create(account_pool_t **connections,
                                 const account_database_config_t *config, apr_pool_t *pool)
{
    account_pool_t *created;
    pthread_condattr_t monotonic;
    apr_pool_t *root;
    apr_status_t rv = apr_pool_create_unmanaged_ex(&root, NULL, NULL);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    created = apr_pcalloc(root, sizeof(*created));
    created->pool = root;
    created->config = *config;
    /* Copies, for the same stuck opener. */
    created->config.driver = apr_pstrdup(root, config->driver);
    created->config.params = apr_pstrdup(root, config->params);
    created->references = 1;
    created->gauges = config->gauges ? config->gauges : &created->own;
    rv = account_dbd_init(&created->dbd, &created->config, pool);
    if (rv != APR_SUCCESS) {
        goto fail;
    }
    created->dbd.params = apr_pstrdup(root, created->dbd.params);
    if (created->config.connections < 1 || created->dbd.in_memory) {
        created->config.connections = 1;
    }
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&created->mutex, NULL);
    pthread_cond_init(&created->available, &monotonic);
    pthread_cond_init(&created->wake, &monotonic);
    pthread_cond_init(&created->quiet, &monotonic);
    pthread_condattr_destroy(&monotonic);
    apr_pool_cleanup_register(pool, created, stop, apr_pool_cleanup_null);
    *connections = created;
    return APR_SUCCESS;

fail:
    apr_pool_destroy(root);
    return rv;
}

/* Beyond MAX_OPENERS: a thread each, so there are bounds. */
#define MAX_STUCK 64

/* How long so many stuck attempts delay the next one: 4 s each, a minute at most. */
static apr_time_t stuck_pause(int stuck)
{
    return apr_time_from_sec(stuck < 15 ? 4 * stuck : 60);
}

/* Whether one more connection is wanted, allowed and promising. */
static int may_open(const account_pool_t *connections, apr_time_t now)
{
    return connections->opening <= connections->waiting
           && connections->opening < (connections->is_down ? 1 : MAX_OPENERS)
           && (connections->opening + connections->stuck < MAX_OPENERS
               || (connections->opening == 0 && connections->stuck < MAX_STUCK
                   && now >= connections->tried_at + stuck_pause(connections->stuck)))
           && connections->open + connections->opening < connections->config.connections
           && now >= connections->retry_at;
}

apr_status_t account_pool_take(account_pool_t *connections, const account_work_t *work,
                               account_db_t **taken)
{
    account_db_t *db, *dead = NULL;
    apr_status_t rv = APR_SUCCESS;

    account_pool_lock(connections);
    for (;;) {
        apr_time_t now = account_clock_monotonic();

        if (connections->is_stopping) {
            rv = ACCOUNT_EDATABASE;
            break;
        }
        while ((db = connections->idle) != NULL) {
            connections->idle = db->next;
            if (account_dbd_is_alive(db)) {
                break;
            }
            db->discard = 1;
            db->next = dead;
            dead = db;
            connections->open--;
        }
        if (now >= work->deadline) {
            if (db != NULL) {
                db->next = connections->idle;
                connections->idle = db;
            }
            connections->gauges->late++;
            rv = ACCOUNT_EBUSY;
            break;
        }
        if (db != NULL) {
            account_dbd_lend(db, work->pool, work->deadline);
            db->single = work->mode == ACCOUNT_WRITE;
            db->interrupted = 0;
            db->next = connections->lent;
            connections->lent = db;
            connections->lent_count++;
            account_pool_wake_keeper(connections, work->deadline);
            *taken = db;
            break;
        }
        if (!connections->has_keeper) {
            rv = account_pool_start_thread(&connections->keeper, account_pool_keep, connections);
            if (rv != APR_SUCCESS) {
                break;
            }
            connections->has_keeper = 1;
        }
        if (may_open(connections, now)) {
            connections->tried_at = now;
            connections->opening++;
            connections->to_start++;
            pthread_cond_signal(&connections->wake);
        }
        if (connections->open == 0 && (connections->opening == 0 || connections->stuck > 0)) {
            rv = ACCOUNT_EDATABASE; /* in the pause after a failure, or frozen: why wait? */
            break;
        }
        connections->waiting++;
        account_pool_wait(connections, &connections->available, work->deadline);
        connections->waiting--;
    }
    account_pool_unlock(connections);
    account_pool_close_all(dead);
    return rv;
}

void account_pool_give_back(account_pool_t *connections, account_db_t *db)
{
    account_db_t **at = &connections->lent;
    int is_good;

    account_pool_lock(connections);
    while (*at != db) {
        at = &(*at)->next;
    }
    *at = db->next;
    connections->lent_count--;
    db->discard |= db->interrupted && db->socket >= 0;
    is_good = !db->discard && !connections->is_stopping;
    if (is_good) {
        db->idle_since = account_clock_monotonic();
        db->results = NULL;
        db->next = connections->idle;
        connections->idle = db;
    }
    else {
        connections->open--; /* whoever waits may have one opened in its place */
    }
    pthread_cond_signal(&connections->available);
    pthread_cond_broadcast(&connections->quiet);
    account_pool_unlock(connections);
    if (!is_good) {
        account_dbd_close(db);
    }
}

void account_pool_flush(account_pool_t *connections)
{
    account_db_t *idle = NULL, *db;

    account_pool_lock(connections);
    if (!connections->dbd.in_memory) {
        idle = connections->idle;
        connections->idle = NULL;
    }
    for (db = idle; db != NULL; db = db->next) {
        connections->open--;
    }
    account_pool_unlock(connections);
    account_pool_close_all(idle);
}

void account_pool_load(account_pool_t *connections, account_database_load_t *load)
{
    account_pool_lock(connections);
    load->open = connections->open;
    load->lent = connections->lent_count;
    load->waiting = connections->waiting;
    load->up = !connections->is_down;
    account_pool_unlock(connections);
}
