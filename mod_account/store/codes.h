#ifndef ACCOUNT_STORE_CODES_H
#define ACCOUNT_STORE_CODES_H

#include "store/accounts.h"
#include "store/store.h"

/* A secret that proves something once: kept as a keyed digest, bound to purpose and target. */
typedef struct account_code_t {
    const char *purpose; /* "answer", "reset", ...: the constants of the contract language */
    const char *target;  /* canonical identifier */
    const char *secret;
    apr_int64_t expires; /* milliseconds UTC */
    int tries;           /* wrong guesses allowed; 0: not counted (secrets of 112 bits and more) */
} account_code_t;

typedef enum account_code_state_e {
    ACCOUNT_CODE_RIGHT,
    ACCOUNT_CODE_WRONG,
    ACCOUNT_CODE_EXPIRED /* none for this purpose and target, too old, used, or used up */
} account_code_state_e;

/* Stores the code in the place of an earlier one of the same purpose and target. Wrong guesses at a
 * counted code that could still be used go on counting: a new one has no more tries than were left.
 */
apr_status_t account_code_issue(const account_store_t *store, const account_code_t *code);

/* Looks without consuming or counting; for uncounted codes (tries 0) before dear work. expires and
 * tries of code are ignored. */
apr_status_t account_code_check(const account_store_t *store, const account_code_t *code,
                                account_code_state_e *state);

/*
 * Consumes the code and sets the password of account, ends all its sessions and begins session when
 * it is not NULL; all or nothing, one winner however many ask at once. A wrong guess is counted,
 * and the count is committed. change->account's old hash is not compared.
 */
apr_status_t account_code_reset_password(const account_store_t *store, const account_code_t *code,
                                         const account_password_change_t *change,
                                         account_code_state_e *state);

#endif
