#include <apr_strings.h>

#include "action/actions.h"
#include "action/limits.h"
#include "action/hashing.h"
#include "action/outgoing.h"
#include "action/session.h"

/* The account as it is after that change just now. */
static const account_t *changed_account(const account_call_t *call,
                                        const account_password_change_t *change)
{
    account_t *changed = apr_pmemdup(call->store->pool, change->account, sizeof(*changed));

    changed->password = change->password;
    changed->updated = call->store->now;
    return changed;
}

/* *changed 0: the old password is wrong, or (*again) its hash was replaced meanwhile. */
static apr_status_t change(const account_call_t *call, account_password_change_t *change,
                           int *changed, int *again)
{
    int matches = 0;
    apr_status_t rv = account_hashing_verify(call, change->account,
                                             account_call_value(call, "old_password"), &matches);

    *changed = 0;
    if (rv == APR_SUCCESS && matches && !change->password) {
        rv = account_hashing_make(call, account_call_value(call, "password"), &change->password);
    }
    if (rv == APR_SUCCESS && matches) {
        rv = account_change_password(call->store, change, changed);
    }
    *again = matches && !*changed;
    return rv;
}

/* Every session ends; the caller goes on in a new one unless the contract says otherwise (ASVS
 * 7.4.3). Its addresses are told. */
static apr_status_t change_in_session(const account_call_t *call, account_answer_t *answer)
{
    apr_array_header_t *messages =
        apr_array_make(call->store->pool, 2, sizeof(account_message_t *));
    account_also_t also = {.messages = messages};
    account_password_change_t wanted = {.account = call->account, .also = &also};
    account_session_t *session = NULL;
    int changed = 0, again = 0;
    apr_status_t rv =
        account_outgoing_notify(call, call->account, "notice-password", NULL, messages);

    if (rv == APR_SUCCESS && !account_call_is(call, "sessions", "all")) {
        rv = account_session_make(call->store, call->account->id, &call->terms, &session);
        also.session = session;
    }
    if (rv == APR_SUCCESS) {
        rv = change(call, &wanted, &changed, &again);
    }
    if (rv == APR_SUCCESS && again) {
        /* Another change won, or a login renewed the hash: the password decides once more. */
        rv = account_find_by_id(call->store, call->account->id, &wanted.account);
        again = 0;
        if (rv == APR_SUCCESS && wanted.account) {
            rv = change(call, &wanted, &changed, &again);
        }
        if (rv == APR_SUCCESS && again) {
            rv = ACCOUNT_EBUSY;
        }
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!changed) {
        answer->outcome = ACCOUNT_WRONG_PASSWORD;
        return APR_SUCCESS;
    }
    answer->account = changed_account(call, &wanted);
    answer->session_ended = session == NULL;
    return session ? account_session_announce(call, answer->account, session, answer) : APR_SUCCESS;
}

/* Who has stolen a session guesses at the password here; counted by session, so that the owner is
 * locked out neither of logins nor of changing it. */
apr_status_t account_do_change_password(const account_call_t *call, account_answer_t *answer)
{
    account_budget_t budget = {.count = 0};
    int taken;
    apr_status_t rv;

    account_budget_add(call, &budget, ACCOUNT_LIMIT_PASSWORD_ACCOUNT,
                       apr_pstrcat(call->store->pool, "change/", call->session->id, NULL));
    rv = account_budget_take(call, &budget, answer, &taken);
    if (rv != APR_SUCCESS || !taken) {
        return rv;
    }
    rv = change_in_session(call, answer);
    if (rv != APR_SUCCESS || answer->outcome == ACCOUNT_OK) {
        account_budget_return(call, &budget);
    }
    return rv;
}
