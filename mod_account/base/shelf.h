#ifndef ACCOUNT_BASE_SHELF_H
#define ACCOUNT_BASE_SHELF_H

#include <apr_pools.h>

/*
 * What a process had in hand lately, by key: beside a cache that all processes share, because that
 * one has a single lock, for which the threads of all processes queue. A few hundred places, each
 * with a lock of its own for which nobody waits: who finds it taken finds nothing. Only for what
 * its reader judges anew each time, as store/snapshot.h does: nothing is ever taken out but by what
 * comes to lie in its place.
 */
typedef struct account_shelf_t account_shelf_t;

/* Longer keys and values have no place there. */
#define ACCOUNT_SHELF_KEY_MOST 128
#define ACCOUNT_SHELF_VALUE_MOST 768

/* Of one process, with all its memory: some 240 KB. */
account_shelf_t *account_shelf_make(apr_pool_t *pool);

/* The value that was put there under the key last, from pool, and its length; NULL: it is not
 * there, or not to be had just now. shelf may be NULL: nothing is there. */
const void *account_shelf_get(account_shelf_t *shelf, const char *key, apr_size_t *length,
                              apr_pool_t *pool);

/* Puts it there, or not. shelf may be NULL. */
void account_shelf_put(account_shelf_t *shelf, const char *key, const void *value,
                       apr_size_t length);

#endif
