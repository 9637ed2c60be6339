#ifndef ACCOUNT_BASE_KEEPER_H
#define ACCOUNT_BASE_KEEPER_H

#include <pthread.h>

#include "base/pool.h"

/* What the two halves of the pool share: pool.c lends connections, keeper.c opens and watches them.
 */

/* Threads that try to connect at once. Where so many are stuck (a host that went without a word may
 * leave them so for good), one more is tried now and then. */
#define MAX_OPENERS 4

#define IDLE_LIMIT apr_time_from_sec(60)

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
    pthread_t keeper; /* started by the first caller: a pool that nobody asks costs no thread */
    int has_keeper;
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

    int is_down;              /* the last attempt to connect failed */
    apr_time_t retry_at;      /* no attempt before */
    apr_time_t tried_at;      /* when the last attempt began */
    account_gauges_t *gauges; /* config's, else own */
    account_gauges_t own;
    unsigned said[MAX_SAID]; /* what was logged while it was down, hashed: once is enough */
    int said_count;
};

/* Around everything below mutex. */
void account_pool_lock(account_pool_t *connections);
void account_pool_unlock(account_pool_t *connections);

/* Waits under the lock. until: account_clock_monotonic; 0: for ever. */
void account_pool_wait(account_pool_t *connections, pthread_cond_t *condition, apr_time_t until);

/* The keeper looks at its lists again if it would otherwise sleep beyond until. */
void account_pool_wake_keeper(account_pool_t *connections, apr_time_t until);

/* Starts a thread that no signal of the server's is delivered to. */
int account_pool_start_thread(pthread_t *thread, void *(*fn)(void *), void *data);

/* The keeper's thread; data is the pool. */
void *account_pool_keep(void *data);

/* Closes a list of connections that nobody else has any more; not under the lock. */
void account_pool_close_all(account_db_t *list);

#endif
