#ifndef ACCOUNT_STORE_STORE_H
#define ACCOUNT_STORE_STORE_H

#include "base/cache.h"
#include "base/database.h"
#include "base/fence.h"
#include "base/keys.h"
#include "base/random.h"

/* What every function of store/ needs: one of these for each request, on its stack or in its pool.
 */
typedef struct account_store_t {
    account_database_t *database;
    int database_number; /* among those that the same cache has copies of */
    const char *realm;   /* leads every key; 1-64 of [A-Za-z0-9._-] */
    const account_keys_t *keys;
    const account_random_t *random;
    apr_int64_t now; /* milliseconds since 1970 UTC */
    apr_time_t
        deadline; /* account_clock_monotonic, for everything the request asks of the database */
    const account_log_t *log; /* NULL: nowhere */
    /* Copies of sessions, where they are good enough: NULL asks the database itself. */
    const account_cache_t *cache;
    /* Where it is made known what a transaction changes; NULL: nobody has copies. */
    account_closing_t *closing;
    apr_pool_t *pool;
} account_store_t;

#endif
