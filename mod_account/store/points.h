#ifndef ACCOUNT_STORE_POINTS_H
#define ACCOUNT_STORE_POINTS_H

#include <apr_tables.h>

#include "store/store.h"

/* Reward points: a ledger that the site's own code writes into (README.md has the INSERT). The
 * module reads it only. A balance is the sum of the entries, so it can't differ from them. */

typedef struct account_points_t {
    apr_int64_t total;
    apr_int64_t last_year; /* of the entries from last_year_begin on and before this_year_begin */
} account_points_t;

typedef struct account_years_t {
    apr_int64_t last_year; /* when it began, milliseconds UTC */
    apr_int64_t this_year;
} account_years_t;

/* Both sums of an account in one statement over an index. No entries: 0. */
apr_status_t account_points_sum(const account_store_t *store, apr_int64_t account_id,
                                const account_years_t *years, account_points_t *points);

typedef struct account_entry_t {
    apr_int64_t amount; /* may be negative */
    const char *description;
    apr_int64_t created;
} account_entry_t;

/* Which entries of an account: created from since on and before until (0: no bound), the newest
 * first, most of them from the offset-th on. */
typedef struct account_entries_wanted_t {
    apr_int64_t account_id;
    apr_int64_t since;
    apr_int64_t until;
    apr_int64_t offset;
    int most;
} account_entries_wanted_t;

/* *entries: of account_entry_t; *count: how many there are on all pages together. */
apr_status_t account_points_list(const account_store_t *store,
                                 const account_entries_wanted_t *wanted,
                                 apr_array_header_t **entries, apr_int64_t *count);

#endif
