#ifndef ACCOUNT_BASE_CACHE_H
#define ACCOUNT_BASE_CACHE_H

#include <apr_pools.h>
#include <apr_time.h>

#include "base/keys.h"
#include "base/shelf.h"

/*
 * A cache that all processes of a server share, as the core sees it; httpd/ fills it in. Nothing
 * may depend on it: what was put in can be gone at any moment, and nothing is said where it could
 * not be put in. No secret goes in, neither as key nor as value: keys are made with keys below, or
 * with those of the store. What comes out is what was put in under that key by this server: where
 * others could write, it is sealed.
 */

#define ACCOUNT_CACHE_KEY_MOST 128
#define ACCOUNT_CACHE_VALUE_MOST 16384

typedef struct account_cache_item_t {
    const char *space; /* who uses the key: 1 to 15 letters; keys of two spaces never meet */
    const void *key;   /* 1 to ACCOUNT_CACHE_KEY_MOST bytes */
    apr_size_t key_length;
    const void *value; /* 1 to ACCOUNT_CACHE_VALUE_MOST bytes */
    apr_size_t value_length;
    apr_time_t life;  /* to be set: how long from now, a second or more */
    int is_uncounted; /* asked again for something: neither a hit nor a miss */
} account_cache_item_t;

typedef struct account_cache_t {
    /* Fills in the item's value, from pool. APR_NOTFOUND: there is none; anything else: could not
     * tell, which is to be taken as none. */
    apr_status_t (*get)(void *baton, account_cache_item_t *item, apr_pool_t *pool);
    /* Puts it in, over what was there. APR_EINVAL: too long. */
    apr_status_t (*set)(void *baton, const account_cache_item_t *item, apr_pool_t *pool);
    /* Puts it in where there is none: of several processes one does (unless the cache is one that
     * knows no locks, where more than one may). APR_EEXIST: there is one. */
    apr_status_t (*add)(void *baton, const account_cache_item_t *item, apr_pool_t *pool);
    /* Takes it out; that there was none is a success too. */
    apr_status_t (*remove)(void *baton, const account_cache_item_t *item, apr_pool_t *pool);
    void *baton;
    /* Of copies of what the database says (store/snapshot.h): how long they are believed, and how
     * long where the database can't be asked. */
    apr_interval_time_t ttl;
    apr_interval_time_t grace;
    /* What this process has kept of such copies; NULL: it keeps none. Who finds one there, and
     * finds it good, says so: it counts as found. */
    account_shelf_t *shelf;
    void (*found)(void *baton);
    /* Random at each start, known to this server's processes only and stored nowhere. */
    const account_keys_t *keys;
} account_cache_t;

/* For a cache where others can write: the item's value, sealed for its space, key and life, so that
 * they can't read, make, move or keep one. NULL: OpenSSL failed. */
const char *account_cache_seal(const account_keys_t *keys, const account_cache_item_t *item,
                               apr_pool_t *pool);

/* The reverse, into the item, whose space and key are set. APR_NOTFOUND: it is not of our making,
 * or its life is over. */
apr_status_t account_cache_unseal(const account_keys_t *keys, account_cache_item_t *item,
                                  const char *sealed, apr_pool_t *pool);

#endif
