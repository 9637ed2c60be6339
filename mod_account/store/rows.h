#ifndef ACCOUNT_STORE_ROWS_H
#define ACCOUNT_STORE_ROWS_H

#include "store/accounts.h"
#include "store/codes.h"
#include "store/limits.h"
#include "store/messages.h"
#include "store/sessions.h"

/* What the files of store/ share among themselves. */

/* A work with the store's deadline and pool; mode: as of account_work_t. What it closed (below) is
 * opened again where it is known how it ended. */
apr_status_t account_store_run(const account_store_t *store, int mode,
                               apr_status_t (*fn)(account_db_t *db, void *baton), void *baton);

/* By its name in the database. */
account_kind_e account_kind_of(const char *name);

/* From the columns of a statement that selects accounts. */
const account_t *account_row_read(const char *const *columns, apr_pool_t *pool);

/*
 * All of the following are called inside a transaction.
 */

/* Before an account, or a session of it, or the session of a token is changed in whatever a copy
 * of a session tells (store/snapshot.h): makes all copies of it worthless. */
void account_close_account(const account_store_t *store, apr_int64_t account_id);
void account_close_token(const account_store_t *store, const char *token);

/* What was asked to be stored along with a change of the account. also may be NULL. */
apr_status_t account_also_store(const account_store_t *store, account_db_t *db,
                                const account_also_t *also, apr_int64_t account_id);

/* Stores a session of the account, whatever its own id says, and removes those that it replaces and
 * those of the account that have expired; removes all of an account. */
apr_status_t account_session_store(const account_store_t *store, account_db_t *db,
                                   const account_session_t *session, apr_int64_t account_id);
apr_status_t account_session_end_all(const account_store_t *store, account_db_t *db,
                                     apr_int64_t account_id);

/* Waits for who is changing the account. *held: whether it is active and has the password that was
 * read. */
apr_status_t account_hold(const account_store_t *store, account_db_t *db, const account_t *account,
                          int *held);

/* account_create without its also. *taken: what was being claimed, ACCOUNT_KINDS when a conflict is
 * of something else. */
apr_status_t account_create_in(const account_store_t *store, account_db_t *db,
                               const account_t *fields, const account_t **created,
                               account_kind_e *taken);

/* Sets the password whatever the old one is, ends all sessions and secrets as
 * account_change_password does, stores also. *found: 0 when there is no
 * such account, or it is disabled. */
apr_status_t account_reset_password_in(const account_store_t *store, account_db_t *db,
                                       const account_password_change_t *change, int *found);

/* As profile of account_redemption_t; *found: 0 when the attributes are others by now. */
apr_status_t account_set_attributes_in(const account_store_t *store, account_db_t *db,
                                       const account_profile_t *profile, int *found);

/* As own of account_redemption_t; *found: 0 when there is no such account. */
apr_status_t account_own_in(const account_store_t *store, account_db_t *db,
                            const account_ownership_t *ownership, int *found);

/* One of an account's identifiers. */
typedef struct account_identifier_t {
    const char *canonical;
    apr_int64_t account_id;
    account_kind_e kind;
    apr_int64_t verified;
    apr_int64_t created; /* of one that was read */
} account_identifier_t;

/* Claims it for the account, or marks as verified what the account has already. Verified, it
 * displaces an account that never verified it. identifier->verified becomes what is stored.
 * ACCOUNT_ECONFLICT: it is another's. */
apr_status_t account_identifier_claim(const account_store_t *store, account_db_t *db,
                                      account_identifier_t *identifier);

/* *identifiers: all of an account, of account_identifier_t, the oldest first. */
apr_status_t account_identifiers_of(const account_store_t *store, account_db_t *db,
                                    apr_int64_t account_id, apr_array_header_t **identifiers);

/* Uses up the codes of a target that are of the purposes that statement names (one of
 * ACCOUNT_SQL_CODE_END_...). */
apr_status_t account_code_end(const account_store_t *store, account_db_t *db, int statement,
                              const char *target);

/* account_code_issue without its messages. */
apr_status_t account_code_store(const account_store_t *store, account_db_t *db,
                                const account_code_t *code);

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
