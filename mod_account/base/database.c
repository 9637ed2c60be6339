#include "base/database.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/pool.h"

/* How often work is done again after a deadlock and the like. */
#define MAX_AGAIN 3
#define AGAIN_PAUSE (10 * 1000)

struct account_database_t {
    account_pool_t *connections;
    int is_sqlite3;
    apr_global_mutex_t *writer;

    /* sqlite3's writers queue here. On the monotonic clock, which APR's conditions are not. */
    pthread_mutex_t mutex;
    pthread_cond_t writer_free;
    int is_writing;
};

static apr_status_t destroy(void *data)
{
    account_database_t *database = data;

    pthread_cond_destroy(&database->writer_free);
    pthread_mutex_destroy(&database->mutex);
    return APR_SUCCESS;
}

apr_status_t account_database_create(account_database_t **database,
                                     const account_database_config_t *config, apr_pool_t *pool)
{
    account_database_t *created;
    account_pool_t *connections;
    pthread_condattr_t monotonic;
    apr_status_t rv = account_pool_create(&connections, config, pool);

    if (rv != APR_SUCCESS) {
        goto leave;
    }
    created = apr_pcalloc(account_pool_memory(connections), sizeof(*created));
    created->connections = connections;
    created->is_sqlite3 = account_database_dialect(config->driver) == ACCOUNT_SQLITE3;
    created->writer = config->writer;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&created->mutex, NULL);
    pthread_cond_init(&created->writer_free, &monotonic);
    pthread_condattr_destroy(&monotonic);
    apr_pool_cleanup_register(account_pool_memory(connections), created, destroy,
                              apr_pool_cleanup_null);
    *database = created;

leave:
    return rv;
}

apr_status_t account_database_try(const account_database_config_t *config, apr_pool_t *pool)
{
    account_dbd_t dbd = {0};
    account_db_t *db = NULL;
    const char *error = NULL;
    apr_pool_t *own = NULL;
    apr_status_t rv = account_dbd_init(&dbd, config, pool);

    if (rv != APR_SUCCESS) {
        goto leave;
    }
    rv = apr_pool_create_unmanaged_ex(&own, NULL, NULL);
    if (rv != APR_SUCCESS) {
        goto leave;
    }
    rv = account_dbd_open(&db, &dbd, &error, own);
    if (rv != APR_SUCCESS) {
        account_log(config->log, ACCOUNT_LOG_ERROR, rv,
                    ACLOGNO(00108) "cannot open the database (%s): %s", config->driver,
                    error ? error : "the driver gives no reason");
        apr_pool_destroy(own);
        goto leave;
    }
    if (config->on_connect != NULL) {
        rv = account_dbd_greet(db, config);
    }
    account_dbd_close(db);

leave:
    return rv;
}

/* sqlite3 has one writer at a time. Its own waiting is unfair and, within one process, holds up all
 * readers; so writers queue here, by thread and then by process. */
static apr_status_t begin_writing(account_database_t *database, apr_time_t deadline)
{
    struct timespec at;
    int has_turn, is_late = 0;

    at.tv_sec = apr_time_sec(deadline);
    at.tv_nsec = apr_time_usec(deadline) * 1000;
    pthread_mutex_lock(&database->mutex);
    while (database->is_writing && !is_late) {
        is_late = pthread_cond_timedwait(&database->writer_free, &database->mutex, &at) != 0;
    }
    has_turn = !database->is_writing;
    database->is_writing = 1;
    pthread_mutex_unlock(&database->mutex);
    return has_turn ? APR_SUCCESS : ACCOUNT_EBUSY;
}

static void end_writing(account_database_t *database)
{
    pthread_mutex_lock(&database->mutex);
    database->is_writing = 0;
    pthread_cond_signal(&database->writer_free);
    pthread_mutex_unlock(&database->mutex);
}

/* Called by the one thread that may write. */
static apr_status_t lock_processes(apr_global_mutex_t *mutex, apr_time_t deadline)
{
    apr_interval_time_t pause = 500, left;
    apr_status_t rv = apr_global_mutex_trylock(mutex);

    while (APR_STATUS_IS_EBUSY(rv)) {
        left = deadline - account_clock_monotonic();
        if (left <= 0) {
            return ACCOUNT_EBUSY;
        }
        rv = apr_global_mutex_timedlock(mutex, left);
        if (APR_STATUS_IS_TIMEUP(rv)) {
            return ACCOUNT_EBUSY;
        }
        if (APR_STATUS_IS_ENOTIMPL(rv)) { /* not every mechanism can */
            apr_sleep(pause < left ? pause : left);
            pause = pause < 8000 ? pause * 2 : pause;
            rv = apr_global_mutex_trylock(mutex);
        }
    }
    return rv;
}

/* The work on one connection, with its transaction. */
static apr_status_t run_on(account_db_t *db, const account_work_t *work)
{
    apr_status_t rv;

    if (work->mode != ACCOUNT_TRANSACTION) {
        return work->fn(db, work->baton);
    }
    rv = account_dbd_begin(db);
    if (rv != APR_SUCCESS) {
        account_dbd_rollback(db); /* sqlite3 may have begun, and mysql too */
        return rv;
    }
    rv = work->fn(db, work->baton);
    if (rv == APR_SUCCESS) {
        rv = account_dbd_status(db); /* of a failure that fn did not pass on */
    }
    if (rv == APR_SUCCESS) {
        rv = account_dbd_commit(db);
    }
    else {
        account_dbd_rollback(db);
    }
    return rv;
}

/* How often what was tried, for one call of account_database_run. */
typedef struct attempts_t {
    int lost;
    int stale;
    int again;
    int is_fresh_wanted; /* a fresh connection for the next one */
} attempts_t;

/* Whether the work is to be run again: only if nothing can have been done, and not for ever. */
static int is_worth_another(attempts_t *attempts, const account_db_t *db,
                            const account_work_t *work)
{
    apr_time_t left = work->deadline - account_clock_monotonic();

    if (left <= 0) {
        return 0;
    }
    attempts->is_fresh_wanted = db->problem != ACCOUNT_DBD_AGAIN;
    switch (db->problem) {
    case ACCOUNT_DBD_LOST:
        return !db->may_have_run && attempts->lost++ == 0;
    case ACCOUNT_DBD_STALE:
        return attempts->stale++ == 0;
    case ACCOUNT_DBD_AGAIN:
        return attempts->again++ < MAX_AGAIN;
    default:
        return 0;
    }
}

/* The work, until it is done or not worth another attempt. */
static apr_status_t run(account_database_t *database, const account_work_t *work,
                        apr_global_mutex_t *mutex)
{
    attempts_t attempts = {0, 0, 0, 0};
    account_db_t *db;
    apr_status_t rv;
    int again;

    do {
        again = 0;
        rv = account_pool_take(database->connections, work, &db);
        if (rv != APR_SUCCESS) {
            break;
        }
        if (mutex != NULL) {
            rv = lock_processes(mutex, work->deadline);
        }
        if (rv == APR_SUCCESS) {
            rv = run_on(db, work);
            again = rv != APR_SUCCESS && is_worth_another(&attempts, db, work);
            if (mutex != NULL) {
                apr_global_mutex_unlock(mutex);
            }
        }
        account_pool_give_back(database->connections, db);
        if (again && attempts.is_fresh_wanted) {
            account_pool_flush(database->connections);
        }
        else if (again) {
            apr_sleep(AGAIN_PAUSE * attempts.again);
        }
    } while (again);
    return rv;
}

apr_status_t account_database_run(account_database_t *database, const account_work_t *work)
{
    account_pool_t *connections = database->connections;
    apr_status_t rv;

    account_pool_hold(connections);
    if (!database->is_sqlite3 || work->mode == ACCOUNT_READ) {
        rv = run(database, work, NULL);
    }
    else {
        rv = begin_writing(database, work->deadline);
        if (rv == APR_SUCCESS) {
            rv = run(database, work, database->writer);
            end_writing(database);
        }
    }
    account_pool_release(connections);
    return rv;
}

void account_database_keep(account_database_t *database)
{
    account_pool_hold(database->connections);
}

void account_database_load(account_database_t *database, account_database_load_t *load)
{
    account_pool_load(database->connections, load);
}
