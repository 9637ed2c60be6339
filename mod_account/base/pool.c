#include "base/keeper.h"

#include <time.h>

#include <apr_strings.h>

#include "base/clock.h"

/* How long the end of the pool waits for others to let go of what it owns. */
#define PATIENCE apr_time_from_sec(2)

/* And for who waits for a server to answer that may be frozen. */
#define CONNECTING apr_time_from_msec(500)

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

/* At exit. Who is still connecting then, or uses a connection, can't be waited for. */
static int is_over(void *baton)
{
    account_pool_t *connections = baton;
    int over;

    if (pthread_mutex_trylock(&connections->mutex) != 0) {
        return 0;
    }
    over = connections->is_stopping && connections->openings == NULL && connections->lent == NULL;
    if (over) {
        account_pool_join(connections);
    }
    account_pool_unlock(connections);
    return over;
}

static apr_time_t later(apr_time_t a, apr_time_t b)
{
    return a > b ? a : b;
}

/* Has the others' statements fail, and returns until when the end waits for them; 0: for nobody. */
static apr_time_t hurry(account_pool_t *connections, apr_time_t began)
{
    apr_time_t until = 0;
    const opening_t *opening;
    account_db_t *db;

    for (db = connections->lent; db != NULL; db = db->next) {
        /* In the signal handler of a prefork child this thread itself may be the one. */
        if (!pthread_equal(db->borrower, pthread_self())) {
            account_dbd_interrupt(db);
            until = later(until, began + PATIENCE);
        }
    }
    for (opening = connections->openings; opening != NULL; opening = opening->next) {
        if (opening->db != NULL) {
            account_dbd_interrupt(opening->db);
            until = later(until, began + PATIENCE);
        }
        else if (connections->dbd.dialect == ACCOUNT_SQLITE3 || opening->is_settled) {
            until = later(until, began + PATIENCE);
        }
        else if (!opening->is_stuck) {
            until = later(until, began + CONNECTING);
        }
    }
    return until;
}

/*
 * The end of the caller's pool. No thread of the pool's may run when the process then exits:
 * 1. the keeper ends, so nobody starts an opener any more
 * 2. who uses a connection uses what lives in the caller's pool too; their statements fail now, so
 *    it takes no time until they have returned it
 * 3. who is connecting can't be interrupted: a server that is well answers soon
 * 4. openers that have ended are joined
 * 5. if anybody is left, exit() is told
 */
static apr_status_t stop(void *data)
{
    account_pool_t *connections = data;
    account_db_t *idle;
    account_gauges_t *gauges;
    apr_time_t began = account_clock_monotonic(), until;
    struct timespec soon;
    int is_left;

    /* config's gauges end with the caller's pool, an opener that is stuck does not */
    gauges = __atomic_exchange_n(&connections->gauges, &connections->own, __ATOMIC_ACQ_REL);
    gauges->open = gauges->lent = gauges->waiting = gauges->is_down = 0;
    /* A child of prefork may end within a signal handler, which may have interrupted whoever has
     * the lock in this very thread. */
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec += apr_time_sec(PATIENCE);
    if (pthread_mutex_timedlock(&connections->mutex, &soon) != 0) {
        account_exit_guard(&connections->exit);
        return APR_TIMEUP;
    }
    connections->is_stopping = 1;
    connections->opening -= connections->to_start;
    connections->to_start = 0;
    pthread_cond_broadcast(&connections->wake);
    pthread_cond_broadcast(&connections->available);
    account_pool_unlock(connections);
    if (connections->has_keeper) {
        pthread_join(connections->keeper, NULL); /*1*/
    }

    account_pool_lock(connections);
    idle = connections->idle;
    connections->idle = NULL;
    while ((until = hurry(connections, began)) > account_clock_monotonic()) { /*2, 3*/
        account_pool_wait(connections, &connections->quiet, until);
    }
    account_pool_join(connections); /*4*/
    is_left = connections->openings != NULL || connections->lent != NULL;
    account_pool_unlock(connections);
    account_pool_close_all(idle);
    if (is_left) {
        account_exit_guard(&connections->exit); /*5*/
    }
    else {
        account_pool_release(connections);
    }
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
    created->exit.is_over = is_over;
    created->exit.baton = created;
    account_exit_keep_code();
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
            db->borrower = pthread_self();
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
