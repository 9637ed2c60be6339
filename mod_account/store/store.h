#ifndef ACCOUNT_STORE_STORE_H
#define ACCOUNT_STORE_STORE_H

#include "base/database.h"
#include "base/keys.h"
#include "base/random.h"

/* What every function of store/ needs: one of these for each request, on its stack or in its pool.
 */
typedef struct account_store_t {
    account_database_t *database;
    const char *realm; /* leads every key; 1-64 of [A-Za-z0-9._-] */
    const account_keys_t *keys;
    const account_random_t *random;
    apr_int64_t now; /* milliseconds since 1970 UTC */
    apr_time_t
        deadline; /* account_clock_monotonic, for everything the request asks of the database */
    const account_log_t *log; /* NULL: nowhere */
    apr_pool_t *pool;
} account_store_t;

#endif
