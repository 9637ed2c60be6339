#ifndef ACCOUNT_HTTPD_COUNTERS_H
#define ACCOUNT_HTTPD_COUNTERS_H

#include "httpd/config.h"

/*
 * What the status page shows of all processes together, in memory that they share. Counters count
 * from the start of the server on, graceful restarts included, whoever dies meanwhile. What a
 * process does just now (its connections) stands in a slot of its own; that of one that died is not
 * read, and the next child takes it.
 */
typedef struct account_counters_t account_counters_t;

/* Before the fork, into shared->counters; in pconf, but what was counted outlives it. That there is
 * no shared memory is returned, and logged. */
apr_status_t account_counters_create(account_shared_t *shared, server_rec *servers,
                                     apr_pool_t *pconf);

/* In a child, before its databases are made: a slot for it. */
void account_counters_begin(const account_shared_t *shared);

/* Where this child writes what its connections to a backend do; NULL: it has no slot. */
account_gauges_t *account_counters_gauges(const account_shared_t *shared,
                                          const account_backend_t *backend);

/* Counts a request that was answered by an action, by how it ended. */
void account_counter_request(const account_shared_t *shared, const account_action_t *action,
                             account_outcome_e outcome);

/* Counts a look-up in the cache that had, or had not, what was looked for. */
void account_counter_cache_hit(const account_shared_t *shared);
void account_counter_cache_miss(const account_shared_t *shared);

/* What was counted. */
apr_uint64_t account_counters_requests(const account_shared_t *shared,
                                       const account_action_t *action, account_outcome_e outcome);
apr_uint64_t account_counters_cache_hits(const account_shared_t *shared);
apr_uint64_t account_counters_cache_misses(const account_shared_t *shared);

/* Since when. 0: there are no counters. */
apr_time_t account_counters_since(const account_shared_t *shared);

/* How many children of this configuration live. */
int account_counters_children(const account_shared_t *shared);

/* What they do together with a backend; late also counts that of those that died. */
void account_counters_load(const account_shared_t *shared, const account_backend_t *backend,
                           account_gauges_t *load);

#endif
