#ifndef ACCOUNT_BASE_POOL_H
#define ACCOUNT_BASE_POOL_H

#include "base/dbd.h"

/*
 * The pool of connections beneath account_database_t: opens them in threads of its own, lends
 * them, and is the watchdog of those that are lent. Nobody but database.c uses it.
 */
typedef struct account_pool_t account_pool_t;

/* As account_database_create. */
apr_status_t account_pool_create(account_pool_t **connections,
                                 const account_database_config_t *config, apr_pool_t *pool);

/* What is allocated here lives until the last account_pool_release. */
apr_pool_t *account_pool_memory(account_pool_t *connections);

/* Around each use of the pool: when its owner ends it meanwhile, it stays until released. */
void account_pool_hold(account_pool_t *connections);
void account_pool_release(account_pool_t *connections);

/* Lends an idle connection, or waits for one to be returned or opened. ACCOUNT_EBUSY: none until
 * the deadline of work. ACCOUNT_EDATABASE: the database is known to be down. */
apr_status_t account_pool_take(account_pool_t *connections, const account_work_t *work,
                               account_db_t **db);

/* Takes it back, or closes it when it is of no more use. */
void account_pool_give_back(account_pool_t *connections, account_db_t *db);

/* Closes the idle connections, after one has turned out to be bad in a way that is not seen from
 * outside: the others are no better. */
void account_pool_flush(account_pool_t *connections);

/* As account_database_load. */
void account_pool_load(account_pool_t *connections, account_database_load_t *load);

#endif
