#include "action/actions.h"
#include "action/hashing.h"
#include "action/session.h"

/* A login with a hash of another cost than today's renews it. That this fails does not fail the
 * login. */
static void renew_hash(const account_call_t *call, const account_t *account, const char *password)
{
    const char *phc;

    if (!account_password_is_current(account->password, &call->settings->cost)
        && account_hashing_make(call, password, &phc) == APR_SUCCESS) {
        account_rehash_password(call->store, account, phc);
    }
}

/* ACCOUNT_EROLLBACK: the hash that was verified is no longer the account's. */
static apr_status_t log_in(const account_call_t *call, account_answer_t *answer)
{
    const char *password = account_call_value(call, "password");
    const account_t *account;
    int matches = 0;
    apr_status_t rv = account_call_find(call, "account", &account);

    if (rv == APR_SUCCESS) {
        rv = account_hashing_verify(call, account, password, &matches);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!account || !matches) {
        answer->outcome = account ? ACCOUNT_WRONG_PASSWORD : ACCOUNT_UNKNOWN_ACCOUNT;
        return APR_SUCCESS;
    }
    /* Only who knows the password learns that the account is closed. */
    if (account->status != ACCOUNT_ACTIVE) {
        answer->outcome =
            account->status == ACCOUNT_PENDING ? ACCOUNT_NOT_ACTIVATED : ACCOUNT_ACCOUNT_DISABLED;
        return APR_SUCCESS;
    }
    rv = account_session_log_in(call, account, answer);
    if (rv == APR_SUCCESS) {
        answer->account = account;
        renew_hash(call, account, password);
    }
    return rv;
}

apr_status_t account_do_login(const account_call_t *call, account_answer_t *answer)
{
    apr_status_t rv = log_in(call, answer);

    if (rv == ACCOUNT_EROLLBACK) {
        rv = log_in(call, answer); /* changed, or only renewed by another login: look again */
    }
    return rv == ACCOUNT_EROLLBACK ? ACCOUNT_EBUSY : rv;
}
