#ifndef ACCOUNT_STORE_CODES_H
#define ACCOUNT_STORE_CODES_H

#include "store/accounts.h"
#include "store/limits.h"
#include "store/store.h"

/* A secret that proves something once: kept as a keyed digest, bound to purpose and target. */
typedef struct account_code_t {
    const char *purpose; /* "answer", "reset", ...: the constants of the contract language */
    const char *target;  /* canonical identifier, or an account's ref */
    const char *secret;
    apr_int64_t expires; /* milliseconds UTC */
    int tries;           /* wrong guesses allowed; 0: not counted (secrets of 112 bits and more) */
    /* Ref of the account that it is for: with another's the secret is wrong. NULL, "": nobody's. */
    const char *bound;
    /* Of wrong guesses, such as at all codes of the target; count 0: no such limit. */
    account_quotas_t quotas;
} account_code_t;

typedef enum account_code_state_e {
    ACCOUNT_CODE_RIGHT,
    ACCOUNT_CODE_WRONG,
    ACCOUNT_CODE_EXPIRED, /* there was one for this purpose and target: too old, used, or used up */
    ACCOUNT_CODE_NONE,    /* there is none */
    ACCOUNT_CODE_EXHAUSTED /* one of the quotas has none left: the secret was not looked at */
} account_code_state_e;

/* Stores the code in the place of an earlier one of the same purpose and target, with all its
 * tries: what bounds guesses at several codes are the quotas. messages: of account_message_t *,
 * into the outbox in the same transaction; or NULL. quotas is ignored. */
apr_status_t account_code_issue(const account_store_t *store, const account_code_t *code,
                                const apr_array_header_t *messages);

/* Looks without consuming or counting; for uncounted codes (tries 0) before dear work. expires,
 * tries and quotas of code are ignored. */
apr_status_t account_code_check(const account_store_t *store, const account_code_t *code,
                                account_code_state_e *state);

/* What the right code allows; all of it, in this order, or nothing. What is NULL is not done. */
typedef struct account_redemption_t {
    const account_t *create; /* as fields of account_create */
    /* Sets the password whatever the old one is, unless the account is disabled; ends all sessions
     * and secrets as account_change_password does; then its also. */
    const account_password_change_t *reset;
    /* The address becomes the account's one of its kind, verified now, and a pending account
     * active. An account that holds it and never verified it is displaced (as by account_create);
     * what the account had of that kind before is given up, and logs in no longer, unless it is
     * its user name too, which then proves nothing any more; codes for all of those, and the
     * account's tokens in mails, end. What is shown stays, if it is the same but for its
     * writing. */
    const account_ownership_t *own;
    /* Its account's attributes become those given, if they are still as read, else
     * ACCOUNT_EROLLBACK: look again. Its email and also are ignored. */
    const account_profile_t *profile;
    /* As read: it is active and has that password still, else ACCOUNT_EROLLBACK: look again. */
    const account_t *begin;
    /* Its session begins for the account of the above; without one it must have none. */
    const account_also_t *also;

    const account_t *account; /* out: that account as it is now; NULL: there is none */
    account_kind_e taken;     /* out, with ACCOUNT_ECONFLICT */
    apr_int64_t wait;         /* out, with ACCOUNT_CODE_EXHAUSTED: milliseconds until it is not, of
                               * the first quota with none left */
} account_redemption_t;

/*
 * Consumes the code and does what it allows in one transaction: one winner, however many ask at
 * once. The quotas and a try are taken before the secret is looked at, so that many at once have no
 * more of them, and a wrong guess commits both; a right one gives the quotas back; where there is
 * no code to guess at, or one of the quotas has none left, nothing is taken. expires and tries of
 * code are ignored: the stored ones count.
 *
 * With any state but ACCOUNT_CODE_RIGHT nothing else has been done; ACCOUNT_CODE_EXPIRED is also
 * the answer when the account of reset or own is gone, or that of reset disabled.
 * ACCOUNT_ECONFLICT: another account holds what create or own claims. ACCOUNT_EROLLBACK: of profile
 * or begin. APR_EINVAL: an identifier has no canonical form or is no address, or a session has no
 * account. All three store nothing, and the code can still be used.
 */
apr_status_t account_code_redeem(const account_store_t *store, const account_code_t *code,
                                 account_redemption_t *redemption, account_code_state_e *state);

#endif
