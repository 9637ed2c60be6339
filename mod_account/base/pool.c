#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <apr_strings.h>

#include "base/clock.h"

/* An attempt to connect that takes longer is stuck: others are made in its place. */
#define OPENING_LIMIT apr_time_from_sec(3)

/* Threads that try to connect, the stuck ones included. */
#define MAX_OPENERS 4

/* After a failed attempt nobody tries again for so long. */
#define PAUSE apr_time_from_sec(1)

#define IDLE_LIMIT apr_time_from_sec(60)

/* How long the end of the pool waits for others to let go of what it owns. */
#define PATIENCE apr_time_from_sec(2)

#define MAX_SAID 16

/* An attempt to connect, in a thread of its own: nobody knows how long it takes. */
typedef struct opening_t {
    account_pool_t *connections;
    struct opening_t *next;
    apr_pool_t *pool; /* the connection's, when there is one */
    account_db_t *db; /* connected, and on_connect is looking at it */
    account_log_t log;
    apr_time_t started;
    int is_stuck;
} opening_t;

/*
 * POSIX threads rather than APR's: condition variables on the monotonic clock, and openers that
 * nobody joins. Everything below mutex is guarded by it.
 */
struct account_pool_t {
    apr_pool_t *pool; /* a root of its own: a stuck opener may outlive the pool of the caller */
    account_database_config_t config;
    account_dbd_t dbd;
    pthread_t keeper;
    int references; /* the owner, each opening, each account_pool_hold */

    pthread_mutex_t mutex;
    pthread_cond_t available; /* callers wait for a connection */
    pthread_cond_t wake;      /* the keeper waits for work */
    pthread_cond_t quiet;     /* the end waits for openers and borrowers */
    apr_time_t wake_at;       /* when the keeper wakes by itself; 0: never */
    int is_stopping;

    account_db_t *idle; /* the last one returned is lent first */
    account_db_t *lent;
    opening_t *openings;
    int open; /* idle and lent */
    int lent_count;
    int opening; /* without the stuck ones */
    int stuck;
    int to_start; /* of the opening ones, how many the keeper has yet to start */
    int waiting;

    int is_down;             /* the last attempt to connect failed */
    apr_time_t retry_at;     /* no attempt before */
    unsigned said[MAX_SAID]; /* what was logged while it was down, hashed: once is enough */
    int said_count;
};

static void lock(account_pool_t *connections)
{
    pthread_mutex_lock(&connections->mutex);
}

static void unlock(account_pool_t *connections)
{
    pthread_mutex_unlock(&connections->mutex);
}

/* until: account_clock_monotonic; 0: for ever. */
static void wait_for(account_pool_t *connections, pthread_cond_t *condition, apr_time_t until)
{
    struct timespec at;

    if (until == 0) {
        pthread_cond_wait(condition, &connections->mutex);
        return;
    }
    at.tv_sec = apr_time_sec(until);
    at.tv_nsec = apr_time_usec(until) * 1000;
    pthread_cond_timedwait(condition, &connections->mutex, &at);
}

/* The keeper looks at its lists again if it would otherwise sleep beyond until. */
static void wake_keeper(account_pool_t *connections, apr_time_t until)
{
    if (connections->wake_at == 0 || until < connections->wake_at) {
        pthread_cond_signal(&connections->wake);
    }
}

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

    lock(opening->connections);
    say(opening->connections, level, status, message);
    unlock(opening->connections);
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
    wake_keeper(connections, db->idle_since + IDLE_LIMIT);
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
        lock(connections);
        is_stopping = connections->is_stopping;
        opening->db = db;
        unlock(connections);
        if (is_stopping) {
            rv = ACCOUNT_EDATABASE;
        }
        else if (config->on_connect != NULL) {
            db->log = &opening->log;
            rv = account_dbd_greet(db, config);
            db->log = connections->dbd.log;
        }
    }

    lock(connections);
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
    unlock(connections);

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

/* Starts a thread that no signal of the server's is delivered to. */
static int start_thread(pthread_t *thread, void *(*fn)(void *), void *data)
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
        rv = start_thread(&thread, open_one, opening);
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

static void close_all(account_db_t *list)
{
    while (list != NULL) {
        account_db_t *db = list;

        list = db->next;
        account_dbd_close(db);
    }
}

/* A thread, one for each pool: starts openers, and is the watchdog of statements and openers.
 * In an idle process it sleeps for good. */
static void *keep(void *data)
{
    account_pool_t *connections = data;
    account_db_t *expired;

    lock(connections);
    while (!connections->is_stopping) {
        while (connections->to_start > 0) {
            start_opener(connections);
        }
        expired = NULL;
        connections->wake_at = inspect(connections, &expired);
        if (expired != NULL) {
            unlock(connections);
            close_all(expired);
            lock(connections);
            continue; /* things may have changed meanwhile */
        }
        wait_for(connections, &connections->wake, connections->wake_at);
    }
    unlock(connections);
    return NULL;
}

/* The end of the caller's pool. */
static apr_status_t stop(void *data)
{
    account_pool_t *connections = data;
    account_db_t *idle, *db;
    opening_t *opening;
    apr_time_t until = account_clock_monotonic() + PATIENCE;
    struct timespec soon;
    int is_busy = 1;

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
    unlock(connections);
    pthread_join(connections->keeper, NULL);

    lock(connections);
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
            wait_for(connections, &connections->quiet, until);
        }
    }
    unlock(connections);
    close_all(idle);
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
    rv = start_thread(&created->keeper, keep, created);
    if (rv != APR_SUCCESS) {
        goto fail;
    }
    apr_pool_cleanup_register(pool, created, stop, apr_pool_cleanup_null);
    *connections = created;
    return APR_SUCCESS;

fail:
    apr_pool_destroy(root);
    return rv;
}

/* Whether one more connection is wanted, allowed and promising. */
static int may_open(const account_pool_t *connections, apr_time_t now)
{
    return connections->opening <= connections->waiting
           && connections->opening < (connections->is_down ? 1 : MAX_OPENERS)
           && connections->opening + connections->stuck < MAX_OPENERS
           && connections->open + connections->opening < connections->config.connections
           && now >= connections->retry_at;
}

apr_status_t account_pool_take(account_pool_t *connections, const account_work_t *work,
                               account_db_t **taken)
{
    account_db_t *db, *dead = NULL;
    apr_status_t rv = APR_SUCCESS;

    lock(connections);
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
            wake_keeper(connections, work->deadline);
            *taken = db;
            break;
        }
        if (may_open(connections, now)) {
            connections->opening++;
            connections->to_start++;
            pthread_cond_signal(&connections->wake);
        }
        if (connections->open == 0 && (connections->opening == 0 || connections->stuck > 0)) {
            rv = ACCOUNT_EDATABASE; /* in the pause after a failure, or frozen: why wait? */
            break;
        }
        connections->waiting++;
        wait_for(connections, &connections->available, work->deadline);
        connections->waiting--;
    }
    unlock(connections);
    close_all(dead);
    return rv;
}

void account_pool_give_back(account_pool_t *connections, account_db_t *db)
{
    account_db_t **at = &connections->lent;
    int is_good;

    lock(connections);
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
    unlock(connections);
    if (!is_good) {
        account_dbd_close(db);
    }
}

void account_pool_flush(account_pool_t *connections)
{
    account_db_t *idle = NULL, *db;

    lock(connections);
    if (!connections->dbd.in_memory) {
        idle = connections->idle;
        connections->idle = NULL;
    }
    for (db = idle; db != NULL; db = db->next) {
        connections->open--;
    }
    unlock(connections);
    close_all(idle);
}

void account_pool_load(account_pool_t *connections, account_database_load_t *load)
{
    lock(connections);
    load->open = connections->open;
    load->lent = connections->lent_count;
    load->waiting = connections->waiting;
    load->up = !connections->is_down;
    unlock(connections);
}
