#ifndef ACCOUNT_STORE_CENSUS_H
#define ACCOUNT_STORE_CENSUS_H

#include "store/store.h"

/* What there is of the store's realm, for the status page. */
typedef struct account_census_t {
    apr_int64_t sessions; /* neither over nor idle too long */
    apr_int64_t waiting;  /* messages that are not delivered yet, and still of use */
    apr_int64_t oldest;   /* milliseconds that the oldest of them has waited; 0: none waits */
    apr_int64_t accounts; /* of any status; -1: counting them took too long */
} account_census_t;

/* Counts them, until the store's deadline. A failure of the database is returned, and nothing is
 * to be read from census then. */
apr_status_t account_census_take(const account_store_t *store, account_census_t *census);

#endif
