#ifndef ACCOUNT_STORE_SNAPSHOT_H
#define ACCOUNT_STORE_SNAPSHOT_H

#include "store/accounts.h"

/*
 * Copies of sessions with their accounts in a cache that all processes share, so that a session
 * check asks no database. Only sessions that live are there: that somebody has none is found out
 * from the database each time. A copy has neither the token nor the password's hash.
 *
 * A copy is worth nothing once anything in it was changed by this machine (base/fence.h), or ttl
 * after it was read; or, where the database can't be asked, grace after it was. When the session
 * ends is reckoned anew each time.
 */
typedef struct account_snapshot_t {
    apr_time_t since; /* account_clock_monotonic, before it was read from the database */
    account_session_t session;
    account_t account;
} account_snapshot_t;

/* Looks in store->cache for the session of a token. digest: what its key is made of. NULL: there is
 * none that could be good. */
const account_snapshot_t *account_snapshot_get(const account_store_t *store, const char *token,
                                               const char *digest);

/* How good it is just now. */
typedef enum account_snapshot_state_e {
    ACCOUNT_SNAPSHOT_WORTHLESS, /* changed, too old, or the session is over */
    ACCOUNT_SNAPSHOT_OLD,       /* good where the database can't be asked; or its use is to be
                                 * written down there */
    ACCOUNT_SNAPSHOT_GOOD
} account_snapshot_state_e;
account_snapshot_state_e account_snapshot_judge(const account_store_t *store,
                                                const account_snapshot_t *snapshot);

/* Puts it there; in vain, and without a word, where it is worthless by now or too long. */
void account_snapshot_put(const account_store_t *store, const account_snapshot_t *snapshot,
                          const char *digest);

/* Where changes of an account and the end of a token's session are made known. */
apr_uint32_t account_snapshot_slot_of_account(const char *realm, apr_int64_t account_id);
apr_uint32_t account_snapshot_slot_of_token(const char *realm, const char *token);

#endif
