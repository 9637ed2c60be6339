#ifndef ACCOUNT_STORE_ROWS_H
#define ACCOUNT_STORE_ROWS_H

#include "store/accounts.h"
#include "store/limits.h"
#include "store/messages.h"
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

/* Inside a transaction: account_limits_take (what was taken of the others stays taken when one has
 * none left: the caller rolls back, or wants it so) and account_limits_return. */
apr_status_t account_limits_take_in(const account_store_t *store, account_db_t *db,
                                    account_quotas_t quotas, account_shortage_t *shortage);
apr_status_t account_limits_return_in(const account_store_t *store, account_db_t *db,
                                      account_quotas_t quotas);

/* Inside a transaction: puts a message into the outbox, due at once. APR_EINVAL, logged: sealed,
 * its content is longer than ACCOUNT_CONTENT_MOST. */
apr_status_t account_message_store(const account_store_t *store, account_db_t *db,
                                   const account_message_t *message);

#endif
