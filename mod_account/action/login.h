#ifndef ACCOUNT_ACTION_LOGIN_H
#define ACCOUNT_ACTION_LOGIN_H

#include "action/call.h"

/* What a login by password is, whoever asks: the action, or httpd for each request that carries a
 * password. */
typedef struct account_login_t {
    const char *name; /* any identifier of the account */
    const char *password;
    const account_t *account; /* who has that name; NULL: nobody */
} account_login_t;

/* Who has login->name: fills in login->account, in the store's pool. ACCOUNT_EDATABASE and
 * ACCOUNT_EBUSY, as of account_database_run. */
apr_status_t account_login_find(const account_call_t *call, account_login_t *login);

/*
 * Whether login->password is that of login->account, as it was read, and whether that may log in:
 * counted as a guess (of call's address, or one of its device cookies), through the gate, and for a
 * name that nobody has in the same time. Answer ends too-many, wrong-password, unknown-account
 * (where that is told), not-activated, account-disabled, or stays ok. Nothing is stored but the
 * count; call's store, settings, gate, device_cookies and terms.address are used. ACCOUNT_EBUSY:
 * the gate's queue is full or took too long; ACCOUNT_EDATABASE.
 */
apr_status_t account_login_verify(const account_call_t *call, const account_login_t *login,
                                  account_answer_t *answer);

/* What the account's status says to who knows the password, and to nobody else: ok, not-activated,
 * account-disabled. */
account_outcome_e account_login_judge(const account_t *account);

/* After account_login_verify was ok, and what depends on the hash as it was read is done: one of
 * another cost than today's is renewed. That this fails is nobody's failure. */
void account_login_renew_hash(const account_call_t *call, const account_login_t *login);

/* Gives back the guess that account_login_verify has counted: it was none. */
void account_login_forgive(const account_call_t *call, const account_login_t *login);

#endif
