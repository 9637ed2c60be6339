#ifndef ACCOUNT_ACTION_CODES_H
#define ACCOUNT_ACTION_CODES_H

#include "action/limits.h"
#include "store/codes.h"

/* What the actions that issue and take one-time codes share. */

/* Wrong guesses at one code; ACCOUNT_LIMIT_CODE_TARGET bounds those at all codes of a target. */
#define ACCOUNT_CODE_TRIES 5

/* Who holds an identifier, and what that is worth. */
typedef struct account_claimant_t {
    const char *canonical;          /* of the input; NULL: it can be nobody's */
    const account_holder_t *holder; /* NULL: nobody */
    const account_t *account;       /* the holder's */
    int is_proven;                  /* the account has proven that it has the address */
    int may_recover;                /* ... or began with it, and never proved any */
} account_claimant_t;

/* Finds who has the address that an input of the call names. The input is present. */
apr_status_t account_codes_claimant(const account_call_t *call, const char *input,
                                    account_claimant_t *claimant);

/* The code of the call's purpose that the request brings for claimant: bound to the account that
 * had the address verified when it was issued, its wrong guesses counted for the address. budget:
 * what they take from; it stays as long as code does. */
void account_codes_fill(const account_call_t *call, const account_claimant_t *claimant,
                        account_code_t *code, account_budget_t *budget);

/* What bound is of a code that was never sent, for where it is not told who exists: guesses at it
 * are counted and answered like those at another, and none is right. */
#define ACCOUNT_CODE_NOBODY "nobody"

/* Fills profile for a redemption that resets a password and proves the address for the first time:
 * whoever registered the account may have been another one, so his security question goes with his
 * password. Errors: as account_attributes_change. */
apr_status_t account_codes_disown(const account_call_t *call, const account_t *account,
                                  account_profile_t *profile);

/* How a code that is not right ends the answer; wait: of an exhausted one, milliseconds. */
void account_codes_refuse(account_answer_t *answer, account_code_state_e state, apr_int64_t wait);

/* The kind that an address has. */
account_kind_e account_codes_kind(const account_call_t *call, const char *address);

#endif
