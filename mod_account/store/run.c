#include <apr_strings.h>

#include "base/clock.h"
#include "store/rows.h"
#include "store/snapshot.h"

/* Whether it is known that all was committed, or that nothing ever will be. */
static int is_known(apr_status_t rv)
{
    return rv == APR_SUCCESS || rv == ACCOUNT_ECONFLICT || rv == ACCOUNT_EROLLBACK;
}

apr_status_t account_store_run(const account_store_t *store, int mode,
                               apr_status_t (*fn)(account_db_t *db, void *baton), void *baton)
{
    apr_status_t rv = account_database_run(store->database, &(account_work_t){
                                                                .mode = mode,
                                                                .fn = fn,
                                                                .baton = baton,
                                                                .deadline = store->deadline,
                                                                .pool = store->pool,
                                                            });

    if (store->closing && store->closing->closed) {
        account_fence_end(store->closing, is_known(rv), account_clock_monotonic());
    }
    return rv;
}

static void close_slot(const account_store_t *store, apr_uint32_t slot)
{
    if (store->closing) {
        account_fence_close(store->closing, slot, account_clock_monotonic());
    }
}

void account_close_account(const account_store_t *store, apr_int64_t account_id)
{
    close_slot(store, account_snapshot_slot_of_account(store->realm, account_id));
}

void account_close_token(const account_store_t *store, const char *token)
{
    close_slot(store, account_snapshot_slot_of_token(store->realm, token));
}
