#ifndef ACCOUNT_STORE_ROWS_H
#define ACCOUNT_STORE_ROWS_H

#include "store/accounts.h"
#include "store/sessions.h"

/* What the files of store/ share among themselves. */

/* A work with the store's deadline and pool; mode: as of account_work_t. */
#define account_store_run(store, work_mode, work_fn, work_baton)                                   \
    account_database_run((store)->database, &(account_work_t){.mode = (work_mode),                 \
                                                              .fn = (work_fn),                     \
                                                              .baton = (work_baton),               \
                                                              .deadline = (store)->deadline,       \
                                                              .pool = (store)->pool})

/* From the columns of a statement that selects accounts. */
const account_t *account_row_read(const char *const *columns, apr_pool_t *pool);

/* Inside a transaction: stores a session and removes those that it replaces and those of its
 * account that have expired; removes all of an account. */
apr_status_t account_session_store(const account_store_t *store, account_db_t *db,
                                   const account_session_t *session);
apr_status_t account_session_end_all(const account_store_t *store, account_db_t *db,
                                     apr_int64_t account_id);

#endif
