#include "store/census.h"

#include <apr_strings.h>

#include "store/rows.h"
#include "store/statements.h"

typedef struct work_t {
    const account_store_t *store;
    account_census_t *census;
} work_t;

static apr_int64_t number_of(const char *column)
{
    return column ? apr_atoi64(column) : 0;
}

static apr_status_t count(account_db_t *db, void *baton)
{
    const work_t *work = baton;
    const account_store_t *store = work->store;
    account_args_t args = ACCOUNT_ARGS(TEXT(store->realm), NUMBER(store->now));
    account_census_t *census = work->census;
    const char *const *columns;
    apr_status_t rv = account_db_row(db, ACCOUNT_SQL_CENSUS_SESSIONS, args, &columns);

    *census = (account_census_t){.accounts = -1};
    if (rv == APR_SUCCESS && columns) {
        census->sessions = number_of(columns[0]);
        rv = account_db_row(db, ACCOUNT_SQL_CENSUS_OUTBOX, args, &columns);
    }
    if (rv == APR_SUCCESS && columns) {
        census->waiting = number_of(columns[0]);
        census->oldest = columns[1] ? store->now - number_of(columns[1]) : 0;
        census->oldest = census->oldest > 0 ? census->oldest : 0; /* another server's clock */
    }
    return rv;
}

static apr_status_t count_accounts(account_db_t *db, void *baton)
{
    const work_t *work = baton;
    const char *const *columns;
    apr_status_t rv = account_db_row(db, ACCOUNT_SQL_CENSUS_ACCOUNTS,
                                     ACCOUNT_ARGS(TEXT(work->store->realm)), &columns);

    if (rv == APR_SUCCESS && columns) {
        work->census->accounts = number_of(columns[0]);
    }
    return rv;
}

apr_status_t account_census_take(const account_store_t *store, account_census_t *census)
{
    work_t work = {store, census};
    apr_status_t rv = account_store_run(store, ACCOUNT_READ, count, &work);

    /* Of very many this takes the longest: that it fails is no failure of the rest. */
    if (rv == APR_SUCCESS) {
        account_store_run(store, ACCOUNT_READ, count_accounts, &work);
    }
    return rv;
}
