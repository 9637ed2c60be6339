#include "base/keeper.h"

#include <dlfcn.h>
#include <signal.h>
#include <time.h>

#include <apr_strings.h>

#include "base/clock.h"

/* An attempt to connect that takes longer is stuck: others are made in its place. */
#define OPENING_LIMIT apr_time_from_sec(3)

/* After a failed attempt nobody tries again for so long. */
#define PAUSE apr_time_from_sec(1)

void account_pool_lock(account_pool_t *connections)
{
    pthread_mutex_lock(&connections->mutex);
}

/* What anybody may see has changed when the lock is given up, and nowhere else. */
static void publish(account_pool_t *connections)
{
    account_gauges_t *gauges = __atomic_load_n(&connections->gauges, __ATOMIC_ACQUIRE);

    gauges->open = (apr_uint32_t)connections->open;
    gauges->lent = (apr_uint32_t)connections->lent_count;
    gauges->waiting = (apr_uint32_t)connections->waiting;
    gauges->is_down = (apr_uint32_t)connections->is_down;
}

void account_pool_unlock(account_pool_t *connections)
{
    publish(connections);
    pthread_mutex_unlock(&connections->mutex);
}

void account_pool_wait(account_pool_t *connections, pthread_cond_t *condition, apr_time_t until)
{
    struct timespec at;

    publish(connections);
    if (until == 0) {
        pthread_cond_wait(condition, &connections->mutex);
        return;
    }
    at.tv_sec = apr_time_sec(until);
    at.tv_nsec = apr_time_usec(until) * 1000;
    pthread_cond_timedwait(condition, &connections->mutex, &at);
}

void account_pool_wake_keeper(account_pool_t *connections, apr_time_t until)
{
    if (connections->wake_at == 0 || until < connections->wake_at) {
        pthread_cond_signal(&connections->wake);
    }
}

/*
 * Logging by openers. While the database is down they fail once a second, and each reason
 * is worth one line. Done under the lock, because log may be gone once the pool is stopping.
 */
static void say(account_pool_t *connections, account_log_level_e level, apr_status_t status,
                const char *message)
{
    unsigned hash = 2166136261u;
    const char *at;
    int i;

    if (connections->is_stopping) {
        return;
    }
    for (at = message; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    }
    for (i = 0; i < connections->said_count; i++) {
        if (connections->said[i] == hash) {
            return;
        }
    }
    if (connections->said_count < MAX_SAID) {
        connections->said[connections->said_count++] = hash;
    }
    account_log(connections->config.log, level, status, "%s", message);
}

static void say_locked(void *baton, account_log_level_e level, apr_status_t status,
                       const char *message)
{
    opening_t *opening = baton;

    account_pool_lock(opening->connections);
    say(opening->connections, level, status, message);
    account_pool_unlock(opening->connections);
}

/* An attempt failed, or does not end. */
static void note_down(account_pool_t *connections)
{
    connections->is_down = 1;
    connections->retry_at = account_clock_monotonic() + PAUSE;
    pthread_cond_broadcast(&connections->available);
}

static void note_up(account_pool_t *connections)
{
    if (connections->is_down && !connections->is_stopping) {
        account_log(connections->config.log, ACCOUNT_LOG_NOTICE, 0,
                    ACLOGNO(00104) "the database answers again");
    }
    connections->is_down = 0;
    connections->retry_at = 0;
    connections->said_count = 0;
}

static void unlink_opening(account_pool_t *connections, const opening_t *opening)
{
    opening_t **at = &connections->openings;

    while (*at != opening) {
        at = &(*at)->next;
    }
    *at = opening->next;
    if (opening->is_stuck) {
        connections->stuck--;
    }
    else {
        connections->opening--;
    }
}

static void note_opened(account_pool_t *connections, account_db_t *db)
{
    note_up(connections);
    connections->open++;
    db->idle_since = account_clock_monotonic();
    db->next = connections->idle;
    connections->idle = db;
    /* All of them: who does not get it may ask for another one, now that connecting works. */
    pthread_cond_broadcast(&connections->available);
    account_pool_wake_keeper(connections, db->idle_since + IDLE_LIMIT);
}

/* A thread: one attempt to connect. */
static void *open_one(void *data)
{
    opening_t *opening = data;
    account_pool_t *connections = opening->connections;
    const account_database_config_t *config = &connections->config;
    account_db_t *db = NULL, *surplus = NULL;
    apr_pool_t *pool = opening->pool;
    const char *error = NULL;
    int is_stopping;
    apr_status_t rv = account_dbd_open(&db, &connections->dbd, &error, pool);

    if (rv == APR_SUCCESS) {
        account_pool_lock(connections);
        is_stopping = connections->is_stopping;
        opening->db = db;
        account_pool_unlock(connections);
        if (is_stopping) {
            rv = ACCOUNT_EDATABASE;
        }
        else if (config->on_connect != NULL) {
            db->log = &opening->log;
            rv = account_dbd_greet(db, config);
            db->log = connections->dbd.log;
        }
    }

    account_pool_lock(connections);
    unlink_opening(connections, opening);
    if (rv != APR_SUCCESS) {
        if (db == NULL) {
            say(connections, ACCOUNT_LOG_ERROR, rv,
                apr_psprintf(pool, ACLOGNO(00105) "cannot connect to the database (%s): %s",
                             config->driver, error ? error : "the driver gives no reason"));
        }
        note_down(connections);
        surplus = db;
    }
    else if (connections->is_stopping || connections->open >= config->connections) {
        note_up(connections);
        surplus = db;
    }
    else {
        note_opened(connections, db);
    }
    pthread_cond_broadcast(&connections->quiet);
    account_pool_unlock(connections);

    /* opening lives in pool: it is gone from here on. */
    if (surplus != NULL) {
        surplus->discard = rv != APR_SUCCESS;
        account_dbd_close(surplus);
    }
    else if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
    }
    account_pool_release(connections);
    return NULL;
}

int account_pool_start_thread(pthread_t *thread, void *(*fn)(void *), void *data)
{
    sigset_t all, old;
    int rv;

    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rv = pthread_create(thread, NULL, fn, data);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rv;
}

/* Under the lock: making a thread takes microseconds. */
static void start_opener(account_pool_t *connections)
{
    opening_t *opening;
    pthread_t thread;
    apr_pool_t *pool = NULL;
    apr_status_t rv = apr_pool_create_unmanaged_ex(&pool, NULL, NULL);

    connections->to_start--;
    if (rv == APR_SUCCESS) {
        opening = apr_pcalloc(pool, sizeof(*opening));
        opening->connections = connections;
        opening->pool = pool;
        opening->log.fn = say_locked;
        opening->log.baton = opening;
        opening->started = account_clock_monotonic();
        rv = account_pool_start_thread(&thread, open_one, opening);
    }
    if (rv == APR_SUCCESS) {
        pthread_detach(thread);
        opening->next = connections->openings;
        connections->openings = opening;
        account_pool_hold(connections);
    }
    else {
        connections->opening--;
        if (pool != NULL) {
            apr_pool_destroy(pool);
        }
        say(connections, ACCOUNT_LOG_ERROR, rv,
            ACLOGNO(00106) "cannot start a thread that connects to the database");
        note_down(connections);
    }
}

static apr_time_t earlier(apr_time_t a, apr_time_t b)
{
    return a == 0 || b < a ? b : a;
}

/* Ends what is over its time and takes idle connections out of the pool, which are left to be
 * closed. Returns when there is something to do again; 0: not by the clock. */
static apr_time_t inspect(account_pool_t *connections, account_db_t **expired)
{
    apr_time_t now = account_clock_monotonic(), next = 0;
    account_db_t *db, **at;
    opening_t *opening;

    for (db = connections->lent; db != NULL; db = db->next) {
        if (db->interrupted) {
            continue;
        }
        if (db->deadline <= now) {
            db->interrupted = 1;
            account_dbd_interrupt(db);
        }
        else {
            next = earlier(next, db->deadline);
        }
    }
    for (opening = connections->openings; opening != NULL; opening = opening->next) {
        if (opening->is_stuck) {
            continue;
        }
        if (opening->started + OPENING_LIMIT <= now) {
            opening->is_stuck = 1;
            connections->opening--;
            connections->stuck++;
            say(connections, ACCOUNT_LOG_ERROR, APR_TIMEUP,
                ACLOGNO(00107) "the database does not answer an attempt to connect");
            note_down(connections);
        }
        else {
            next = earlier(next, opening->started + OPENING_LIMIT);
        }
    }
    at = &connections->idle;
    while (*at != NULL && connections->open > 1) {
        db = *at;
        if (db->idle_since + IDLE_LIMIT <= now) {
            *at = db->next;
            db->next = *expired;
            *expired = db;
            connections->open--;
        }
        else {
            next = earlier(next, db->idle_since + IDLE_LIMIT);
            at = &db->next;
        }
    }
    return next;
}

void account_pool_close_all(account_db_t *list)
{
    while (list != NULL) {
        account_db_t *db = list;

        list = db->next;
        account_dbd_close(db);
    }
}

/* An opener may outlive all else: at the end of its process httpd unloads modules, and who comes
 * back from a connect then must still find the code that it left. */
static void keep_code_loaded(void)
{
    Dl_info own;

    if (dladdr((void *)account_pool_keep, &own)) {
        dlopen(own.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    }
}

/* A thread, one for each pool: starts openers, and is the watchdog of statements and openers.
 * In an idle process it sleeps for good. */
void *account_pool_keep(void *data)
{
    account_pool_t *connections = data;
    account_db_t *expired;

    keep_code_loaded();
    account_pool_lock(connections);
    while (!connections->is_stopping) {
        while (connections->to_start > 0) {
            start_opener(connections);
        }
        expired = NULL;
        connections->wake_at = inspect(connections, &expired);
        if (expired != NULL) {
            account_pool_unlock(connections);
            account_pool_close_all(expired);
            account_pool_lock(connections);
            continue; /* things may have changed meanwhile */
        }
        account_pool_wait(connections, &connections->wake, connections->wake_at);
    }
    account_pool_unlock(connections);
    return NULL;
}
