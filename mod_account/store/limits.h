#ifndef ACCOUNT_STORE_LIMITS_H
#define ACCOUNT_STORE_LIMITS_H

#include "store/store.h"

/* So many in so long: a fixed window, which begins with the first one in it. */
typedef struct account_window_t {
    apr_int64_t most;
    apr_int64_t period; /* milliseconds */
} account_window_t;

/* What is counted, and how many of it may be. */
typedef struct account_quota_t {
    const char *subject; /* any text, such as "password-account/REF"; kept as a keyed digest */
    const account_window_t *windows;
    int window_count; /* 0: without a limit */
} account_quota_t;

/* Of account_quota_t, in an order that is the same wherever two of them meet. */
typedef struct account_quotas_t {
    const account_quota_t *quotas;
    int count;
} account_quotas_t;

typedef struct account_shortage_t {
    int quota;        /* the first that has none left, by its number; -1: all were taken */
    apr_int64_t wait; /* milliseconds until it has one again */
} account_shortage_t;

/*
 * Takes one of each window of each quota, or nothing at all when one of them has none left: what
 * is counted is counted before it happens, so that any number at once, in any number of processes
 * and servers, gets no more than there are. Counts survive restarts. A failure of the database is a
 * failure: nobody is let through uncounted.
 */
apr_status_t account_limits_take(const account_store_t *store, account_quotas_t quotas,
                                 account_shortage_t *shortage);

/* The same without taking anything: whether there would be one of each now. */
apr_status_t account_limits_look(const account_store_t *store, account_quotas_t quotas,
                                 account_shortage_t *shortage);

/* Gives one of each back: what was taken turned out not to count. */
apr_status_t account_limits_return(const account_store_t *store, account_quotas_t quotas);

#endif
