#ifndef ACCOUNT_ACTION_MAILED_H
#define ACCOUNT_ACTION_MAILED_H

#include "action/call.h"
#include "store/codes.h"

/*
 * Addresses that are mailed: a page of this site and a token. A token is the ref of its account,
 * which tells where to look, and 130 random bits; it is bound to the address that it was mailed to,
 * so that it is worth nothing once the account has another one.
 */

/* The purposes of their codes: proving an e-mail address, choosing a new password. */
#define ACCOUNT_LINK_ACTIVATE "activate"
#define ACCOUNT_LINK_RESET "link"

/* A new token for account, in code (of which nothing is counted: it can't be guessed). canonical:
 * of the address that it goes to. */
apr_status_t account_link_make(const account_call_t *call, const char *purpose,
                               const account_t *account, const char *canonical,
                               account_code_t *code);

/* What is mailed. */
const char *account_link_url(const account_call_t *call, const account_code_t *code);

/* Whose token the call's input "token" is, by purpose, and the address that it was mailed to.
 * *account NULL: it is no token, or too old, used, or of an address that the account no longer has.
 * Nothing is spent. */
typedef struct account_link_t {
    const account_t *account;
    account_kind_e kind;
    int is_proven; /* the address was verified before */
    account_code_t code;
} account_link_t;
apr_status_t account_link_find(const account_call_t *call, const char *purpose,
                               account_link_t *link);

#endif
